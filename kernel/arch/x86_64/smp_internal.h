/*
 * What the files about many CPUs share.
 *
 *   smp_start.c   bringing them up
 *   smp.c         cross-calls
 */
#pragma once

#include <arch/smp.h>

void smp_set_apic_id(unsigned cpu, uint8_t id);
void smp_init_vectors(void);
