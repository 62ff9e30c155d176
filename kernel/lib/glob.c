/*
 * Glob matching, see glob.h: linear but for the restart at the last star, which is the only one
 * that ever needs another try.
 */
#include <lib/glob.h>

bool glob_match(const char *pattern, size_t length, const char *text)
{
	const char *p = pattern, *end = pattern + length;
	const char *star = NULL, *star_text = NULL;

	while (*text || p < end) {
		if (p < end && *p == '*') {
			star = p++;
			star_text = text;
		} else if (p < end && *text && (*p == '?' || *p == *text)) {
			p++;
			text++;
		} else if (star && *star_text) {
			p = star + 1;
			text = ++star_text;
		} else {
			return false;
		}
	}
	return true;
}
