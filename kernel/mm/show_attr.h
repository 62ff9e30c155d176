/* Rights and flags of a leaf as text; for any format. */
#pragma once

#include <mm/pt/pt_types.h>

/* As letters, "rwxu" first, '-' for what is missing. At most 32 bytes. */
const char *show_attr(pt_attr_t attr, char buf[static 32]);
