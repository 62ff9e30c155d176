/* Which protocol is broken on purpose; see broken.h. */
#if PTOLEMY_TEST

#include <lib/broken.h>
#include <lib/string.h>

#define BROKEN_NAME(name) #name,
static const char *const broken_name[BROKEN_COUNT] = { BROKEN_VARIANTS(BROKEN_NAME) };

enum broken broken_variant;

enum broken broken_find(const char *name)
{
	unsigned i = 0;

	while (i < BROKEN_COUNT && strcmp(name, broken_name[i]))
		i++;
	return (enum broken)i;
}

#endif
