/*
 * The page-table API for the tables that the CPU walks: the library, with the arch's format and
 * the kernel as its host. What mm includes to touch a page table; see mm/pt/pt.h.
 */
#pragma once

#define PT_FORMAT_HEADER <arch/pt_format.h>
#define PT_HOST_HEADER <mm/pt_host.h>

#include <mm/pt/pt.h>
#include <mm/pt/pt_iter.h>
#include <mm/pt/pt_ops.h>
