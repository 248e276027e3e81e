/* Harsh cornering: lateral acceleration of 3.43 m/s2 (0.35 g) for 0.5 s to either side, entered at 15 km/h or more.
 * ISO 8855: a left turn accelerates to the left, y > 0. */
#include "harsh.h"

void cornering_step(harsh_t *self, const world_t *world, const reading_t *left)
{
    reading_t reading = *left;

    reading.side = left->mps2 > 0.0 ? TBOX_LEFT : TBOX_RIGHT;
    reading.mps2 = left->mps2 > 0.0 ? left->mps2 : -left->mps2;
    harsh_step(self, world, &reading);
}
