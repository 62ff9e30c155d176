/*
 * Error numbers, as everybody has them. Functions return them negative.
 *
 * The page-table library brings the few that it uses itself (mm/pt/pt_types.h).
 */
#pragma once

#define EPERM 1
#define ENOENT 2
#define EIO 5
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EINVAL 22
#define ENOSPC 28
#define ERANGE 34
#define EOVERFLOW 75
