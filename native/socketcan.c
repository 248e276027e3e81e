#define _GNU_SOURCE /* recvmmsg */

#include "socketcan.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tbox.h"

enum { BATCH = 64, SECOND_NS = 1000000000, LETTING_GO = 256, RESTART_NS = SECOND_NS };

_Static_assert(sizeof(tbox_input_t) == 80, "the shape drivers/batch.py packs");
_Static_assert(TBOX_EXTENDED == CAN_EFF_FLAG, "an identifier of ours is one of the kernel's");
_Static_assert(TBOX_FRAME_FD == 1 && TBOX_FRAME_ERROR == 2 && TBOX_FRAME_REMOTE == 4, "as in drivers/batch.py");

/* What the kernel tells beside a frame. 0: not told. */
typedef struct {
    int64_t kernel_ns;
    int64_t hardware_ns;
    uint32_t overflow;
    bool has_overflow;
} beside_t;

/* SCM_TIMESTAMPING: software, (deprecated), raw hardware. */
typedef struct {
    struct timespec stamp[3];
} stamps_t;

/* Room for one batch: frames, what is beside them, and the headers that point there. */
typedef struct {
    struct mmsghdr header[BATCH];
    struct iovec part[BATCH];
    struct canfd_frame frame[BATCH];
    struct {
        _Alignas(struct cmsghdr) char bytes[2 * CMSG_SPACE(sizeof(stamps_t)) + CMSG_SPACE(sizeof(uint32_t))];
    } beside[BATCH];
} room_t;

static int64_t to_ns(const struct timespec *time)
{
    return (int64_t)time->tv_sec * SECOND_NS + (int64_t)time->tv_nsec;
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return to_ns(&now);
}

void tbox_can_init(tbox_can_t *self, int fd, uint8_t channel)
{
    const int on = 1;
    const int stamps = SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_RX_SOFTWARE |
                       SOF_TIMESTAMPING_SOFTWARE;

    memset(self, 0, sizeof *self);
    self->fd = fd;
    self->channel = channel;
    self->floor_ns = now_ns(CLOCK_BOOTTIME);
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof stamps);
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

int64_t tbox_can_boot_ns(int64_t stamp_ns, int64_t wall_now_ns, int64_t boot_now_ns, int64_t floor_ns)
{
    const int64_t age_ns = wall_now_ns - stamp_ns;

    if (age_ns <= 0) {
        return boot_now_ns;
    }
    return age_ns < boot_now_ns - floor_ns ? boot_now_ns - age_ns : floor_ns;
}

int64_t tbox_can_hardware_ns(tbox_can_t *self, int64_t hardware_ns, int64_t kernel_boot_ns)
{
    const int64_t offset_ns = kernel_boot_ns - hardware_ns;
    const int64_t above_ns = offset_ns - self->hardware_ns;

    if (!self->hardware_known || above_ns < 0 || above_ns > RESTART_NS) {
        self->hardware_ns = offset_ns;
        self->hardware_known = true;
    } else {
        self->hardware_ns += above_ns / LETTING_GO;
    }
    return hardware_ns + self->hardware_ns;
}

static void lay_out(room_t *room)
{
    memset(room->header, 0, sizeof room->header);
    for (size_t i = 0; i < BATCH; i++) {
        room->part[i].iov_base = &room->frame[i];
        room->part[i].iov_len = sizeof room->frame[i];
        room->header[i].msg_hdr.msg_iov = &room->part[i];
        room->header[i].msg_hdr.msg_iovlen = 1;
        room->header[i].msg_hdr.msg_control = room->beside[i].bytes;
        room->header[i].msg_hdr.msg_controllen = sizeof room->beside[i].bytes;
    }
}

static beside_t read_beside(struct msghdr *message)
{
    beside_t found = {0};

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (part->cmsg_type == SCM_TIMESTAMPING && part->cmsg_len == CMSG_LEN(sizeof(stamps_t))) {
            stamps_t stamps;

            memcpy(&stamps, CMSG_DATA(part), sizeof stamps);
            found.kernel_ns = to_ns(&stamps.stamp[0]);
            found.hardware_ns = to_ns(&stamps.stamp[2]);
        } else if (part->cmsg_type == SO_RXQ_OVFL && part->cmsg_len == CMSG_LEN(sizeof(uint32_t))) {
            memcpy(&found.overflow, CMSG_DATA(part), sizeof found.overflow);
            found.has_overflow = true;
        }
    }
    return found;
}

/* Clocks as they stood together, right after a batch. */
typedef struct {
    int64_t wall_ns;
    int64_t boot_ns;
} clocks_t;

static clocks_t read_clocks(void)
{
    const int64_t before_ns = now_ns(CLOCK_BOOTTIME);
    const int64_t wall_ns = now_ns(CLOCK_REALTIME);
    const int64_t after_ns = now_ns(CLOCK_BOOTTIME);

    return (clocks_t){.wall_ns = wall_ns, .boot_ns = before_ns + (after_ns - before_ns) / 2};
}

static int64_t stamp(tbox_can_t *self, const beside_t *beside, const clocks_t *now)
{
    int64_t t_ns = now->boot_ns;

    if (beside->kernel_ns != 0) {
        t_ns = tbox_can_boot_ns(beside->kernel_ns, now->wall_ns, now->boot_ns, self->floor_ns);
    } else {
        self->unstamped++;
    }
    if (beside->kernel_ns != 0 && beside->hardware_ns != 0) {
        t_ns = tbox_can_hardware_ns(self, beside->hardware_ns, t_ns);
        self->hardware_stamped++;
    }
    t_ns = t_ns > self->floor_ns ? t_ns : self->floor_ns;
    t_ns = t_ns < now->boot_ns ? t_ns : now->boot_ns;
    self->floor_ns = t_ns;
    return t_ns;
}

/* struct can_frame (16 bytes) and struct canfd_frame (72) begin alike: identifier, length, two bytes, at 8 the data. */
static bool convert(const struct canfd_frame *frame, size_t size, tbox_input_t *input)
{
    const bool is_fd = size == CANFD_MTU;
    const uint8_t most = is_fd ? CANFD_MAX_DLEN : CAN_MAX_DLEN;

    if ((size != CAN_MTU && !is_fd) || frame->len > most) {
        return false;
    }
    memset(input, 0, sizeof *input);
    input->kind = TBOX_IN_FRAME;
    input->flags = is_fd ? TBOX_FRAME_FD : 0;
    input->id = frame->can_id & ((frame->can_id & CAN_EFF_FLAG) != 0 ? CAN_EFF_FLAG | CAN_EFF_MASK : CAN_SFF_MASK);
    if ((frame->can_id & CAN_ERR_FLAG) != 0) {
        input->flags |= TBOX_FRAME_ERROR;
        input->id = frame->can_id & CAN_ERR_MASK;
    }
    if ((frame->can_id & CAN_RTR_FLAG) != 0) {
        input->flags |= TBOX_FRAME_REMOTE;
        return true;
    }
    input->length = frame->len;
    memcpy(input->u.data, frame->data, frame->len);
    return true;
}

/* A frame of errors: the controller received a frame and had no room for it (linux/can/error.h). */
static bool is_overrun(const tbox_input_t *input)
{
    return (input->flags & TBOX_FRAME_ERROR) != 0 && (input->id & CAN_ERR_CRTL) != 0 && input->length > 1
           && (input->u.data[1] & CAN_ERR_CRTL_RX_OVERFLOW) != 0;
}

static size_t hand_on(tbox_can_t *self, room_t *room, size_t count, uint8_t *inputs)
{
    const clocks_t now = read_clocks();
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        const beside_t beside = read_beside(&room->header[i].msg_hdr);
        tbox_input_t input;

        if (beside.has_overflow) {
            self->dropped += (uint32_t)(beside.overflow - self->overflow);
            self->overflow = beside.overflow;
        }
        if ((room->header[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
            !convert(&room->frame[i], room->header[i].msg_len, &input)) {
            self->errors++;
            continue;
        }
        if (is_overrun(&input)) {
            self->overruns++;
        }
        input.t_us = stamp(self, &beside, &now) / 1000;
        input.channel = self->channel;
        memcpy(inputs + used * sizeof input, &input, sizeof input);
        used++;
    }
    self->frames += used;
    return used;
}

int tbox_can_read(tbox_can_t *self, uint8_t *inputs, size_t room)
{
    room_t batch;
    size_t used = 0;

    while (used < room) {
        const size_t wanted = room - used < BATCH ? room - used : BATCH;
        const int64_t before_ns = now_ns(CLOCK_BOOTTIME);
        int count;

        lay_out(&batch);
        count = recvmmsg(self->fd, batch.header, (unsigned int)wanted, MSG_DONTWAIT, NULL);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            self->frames -= used; /* told once only: the frames of the same read are given up for it */
            self->dropped += used;
            return -errno;
        }
        if (count > 0) {
            used += hand_on(self, &batch, (size_t)count, inputs + used * sizeof(tbox_input_t));
        }
        if (count < (int)wanted) {
            self->floor_ns = before_ns > self->floor_ns ? before_ns : self->floor_ns;
            break;
        }
    }
    return (int)used;
}

int tbox_can_send(tbox_can_t *self, tbox_guard_t *guard, int64_t t_us, uint32_t id, const uint8_t *data,
                  uint8_t length)
{
    const int reason = tbox_guard_send(guard, t_us, id, data, length, 0);
    struct can_frame frame = {0};

    if (reason != TBOX_GUARD_PASSES) {
        return reason;
    }
    frame.can_id = id; /* CAN_EFF_FLAG is bit 31, too; no other flag passes the guard */
    frame.len = length;
    memcpy(frame.data, data, length);
    if (send(self->fd, &frame, sizeof frame, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof frame) {
        self->unsent++;
        return -errno;
    }
    self->sent++;
    return 0;
}
