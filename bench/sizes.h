/*
 * The sizes that the workloads go through, here and on the Linux peer (bench/linux/init.c).
 */
#pragma once

/* Up to here every page is there; beyond, so many pages, spread evenly. */
#define SCENE_FULL_BYTES (512ull << 20)
#define SCENE_SPARSE_4K 16384ull
#define SCENE_SPARSE_2M 256ull

#define SCENE_SIZES                                                                               \
	{                                                                                         \
		2ull << 20, 16ull << 20, 128ull << 20, SCENE_FULL_BYTES, 8ull << 30, 64ull << 30, \
			1ull << 40,                                                               \
	}

/* One page at a time: so many faults, the least counts; and so many writes after a fork. */
#define FAULT_PAGES 512ull
#define WRITE_COUNT 512u
/* Page numbers in an order that jumps: multiplication by an odd number permutes 2^n of them. */
#define WRITE_ORDER(i, page_count) ((i)*0x9e3779b1ull % (page_count))
