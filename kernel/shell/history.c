/* Lines that were typed; see history.h. A ring, the oldest lines are overwritten. */
#include <lib/string.h>
#include <shell/history.h>

static char lines[HISTORY_LINES][HISTORY_BYTES];
static unsigned added_count;

const char *history_get(unsigned age)
{
	if (age == 0 || age > added_count || age > HISTORY_LINES)
		return NULL;
	return lines[(added_count - age) % HISTORY_LINES];
}

static bool is_blank(const char *line)
{
	while (*line == ' ')
		line++;
	return !*line;
}

void history_add(const char *line)
{
	size_t length = strlen(line);
	const char *last = history_get(1);

	if (is_blank(line) || length >= HISTORY_BYTES || (last && !strcmp(last, line)))
		return;
	memcpy(lines[added_count++ % HISTORY_LINES], line, length + 1);
}
