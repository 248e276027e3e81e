/* Harsh acceleration: longitudinal acceleration >= 3.43 m/s2 (0.35 g) for 0.5 s, from any speed, ended at 10 km/h or more. */
#include "harsh.h"

void acceleration_step(harsh_t *self, const world_t *world, const reading_t *forward)
{
    harsh_step(self, world, forward);
}
