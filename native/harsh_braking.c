/* Harsh braking: longitudinal acceleration <= -3.43 m/s2 (0.35 g) for 0.5 s, entered at 10 km/h or more. */
#include "harsh.h"

void braking_step(harsh_t *self, const world_t *world, const reading_t *forward)
{
    reading_t reading = *forward;

    reading.mps2 = -forward->mps2;
    harsh_step(self, world, &reading);
}
