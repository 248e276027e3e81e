/* The car is parked. */
#include "parked.h"

#include "totals.h"
#include "vector.h"

#define SETTLE_US 10000000  /* people leave, doors shut, the suspension comes to rest */
#define UP_SAMPLES 8
#define RUNNING_RPM 50.0

void parked_init(parked_t *self)
{
    *self = (parked_t){.since_us = NEVER};
}

static bool is_parked(const parked_t *self, const parked_scene_t *scene)
{
    if (is_known(scene->ignition)) {
        return scene->ignition < 0.5 && scene->engine != ENGINE_RUNS;
    }
    if (scene->engine == ENGINE_RUNS || scene->mps >= MOVING_MPS) {
        return false; /* a hybrid drives with its engine off */
    }
    return self->since_us != NEVER || (self->engine_ran && scene->engine == ENGINE_OFF && is_known(scene->mps));
}

void parked_note(parked_t *self, const parked_scene_t *scene)
{
    self->engine_ran |= scene->rpm >= RUNNING_RPM;
    if (!is_parked(self, scene)) {
        self->since_us = NEVER;
        self->samples = 0;
    } else if (self->since_us == NEVER) {
        self->since_us = scene->t_us;
    }
}

bool parked_is_watched(const parked_t *self, int64_t t_us)
{
    return self->since_us != NEVER && t_us - self->since_us >= SETTLE_US;
}

bool parked_has_up(const parked_t *self, int64_t t_us)
{
    return parked_is_watched(self, t_us) && self->samples >= UP_SAMPLES;
}

void parked_feel(parked_t *self, int64_t t_us, const double calm[3])
{
    if (self->since_us == NEVER || (self->samples >= UP_SAMPLES && parked_is_watched(self, t_us))) {
        return;
    }
    if (fabs(length(calm) - GRAVITY_MPS2) > 0.3 * GRAVITY_MPS2) {
        return;
    }
    const double share = self->samples < UP_SAMPLES ? 1.0 / (double)(self->samples + 1) : 1.0 / UP_SAMPLES;

    for (uint32_t i = 0; i < 3; i++) {
        self->up[i] = self->samples == 0 ? calm[i] : self->up[i] + share * (calm[i] - self->up[i]);
    }
    self->samples++;
}

void parked_forget_up(parked_t *self, int64_t t_us)
{
    self->samples = 0;
    if (self->since_us != NEVER) {
        self->since_us = t_us;
    }
}
