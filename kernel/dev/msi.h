/*
 * Message-signalled interrupts: what a device writes, and where, to interrupt a CPU (SDM vol. 3,
 * 11.11). Fixed delivery, edge triggered, one CPU by its APIC id.
 */
#pragma once

#include <stdint.h>

static inline uint32_t msi_address(unsigned apic)
{
	return 0xfee00000u | apic << 12;
}

static inline uint32_t msi_data(unsigned vector)
{
	return vector;
}
