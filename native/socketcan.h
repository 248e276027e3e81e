/* SocketCAN in batches: frames from a raw CAN socket into inputs (tbox.h), stamped on CLOCK_BOOTTIME; and, one at a time
 * and past the guard, frames out.
 *
 * The one C file that does I/O, and none of the core: `recvmmsg` on a socket that somebody else opened, bound, filtered
 * and closes. One system call takes 64 frames, where python-can needs two calls and a Message object each.
 *
 * Time. The kernel stamps a frame when it arrives (SO_TIMESTAMPING), on the wall clock; a controller that can stamp tells
 * its own clock too. Both clocks are measured against CLOCK_BOOTTIME right after each batch, so a wall clock that is set
 * cannot move a frame out of the batch it came in: no frame is later than the moment it was read, earlier than the last
 * moment the socket was empty, or earlier than the frame before it. A socket without stamps (AF_UNIX) is stamped when read.
 */
#ifndef TBOX_SOCKETCAN_H
#define TBOX_SOCKETCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"

/* cdef: begin */

typedef struct {
    uint64_t frames;           /* handed on */
    uint64_t dropped;          /* by the kernel, because nobody read in time (SO_RXQ_OVFL) */
    uint64_t overruns;         /* times the controller's own buffer ran over: frames were lost, nobody knows how many */
    uint64_t errors;           /* datagrams that are no frame */
    uint64_t unstamped;        /* frames without a stamp: stamped when read */
    uint64_t hardware_stamped; /* frames with the controller's stamp */
    uint64_t sent;             /* frames written */
    uint64_t unsent;           /* frames the guard let pass and the kernel did not take */
    int64_t hardware_ns;       /* boot time - controller's clock, as far as it is known */
    int64_t floor_ns;          /* no frame to come is older than this, boot time */
    int fd;
    uint32_t overflow;         /* the kernel's own counter, which wraps */
    uint8_t channel;
    bool hardware_known;
} tbox_can_t;

/* Begin to read `fd`, a datagram socket that carries struct can_frame and struct canfd_frame; its frames get the number
 * `channel`. Asks the socket for stamps and its drop counter; what it refuses is done without. */
void tbox_can_init(tbox_can_t *self, int fd, uint8_t channel);

/* Take what waits, without blocking, at most `room` frames: `inputs` holds room * 80 bytes, as tbox_input_t. Returns the
 * frames taken, or -errno (ENETDOWN, ENODEV, ...) when the bus went; frames read just before are dropped, counted. Frames of errors carry
 * TBOX_FRAME_ERROR and the error class as identifier; remote frames TBOX_FRAME_REMOTE and no data. */
int tbox_can_read(tbox_can_t *self, uint8_t *inputs, size_t room);

/* Put a frame on the bus, without blocking, if the guard lets it pass at this time. `data` has `length` bytes; bit 31 of
 * `id` says 29 bits. Returns 0, the guard's reason, or -errno: ENOBUFS or EAGAIN where the queue is full. Nothing else
 * writes to the socket. */
int tbox_can_send(tbox_can_t *self, tbox_guard_t *guard, int64_t t_us, uint32_t id, const uint8_t *data,
                  uint8_t length);

/* A wall stamp on boot time, where both clocks just showed `wall_now_ns` and `boot_now_ns`; kept between `floor_ns` and
 * `boot_now_ns`, whatever was done to the wall clock in between. */
int64_t tbox_can_boot_ns(int64_t stamp_ns, int64_t wall_now_ns, int64_t boot_now_ns, int64_t floor_ns);

/* A controller's stamp on boot time, from the kernel's stamp of the same frame, already on boot time. The offset between
 * them is the smallest seen (that frame met the least delay), let go by 1/256 of the difference, so that it follows a
 * drifting crystal; a jump of more than 1 s starts anew. */
int64_t tbox_can_hardware_ns(tbox_can_t *self, int64_t hardware_ns, int64_t kernel_boot_ns);

/* cdef: end */

#endif
