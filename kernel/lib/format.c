/*
 * printf-style formatting, see format.h; and the snprintf family on top of it.
 *
 *   %[-0+# ][width|*][.precision|.*][hh|h|l|ll|z](d i u x X o c s p %)
 *
 * No state, no locking; compiles on the host. Talks to nobody.
 */
#include <lib/format.h>
#include <lib/printk.h>
#include <lib/string.h>

struct spec {
	bool left, zero, plus, space, alt;
	int width;
	int precision; /* -1: none given */
	int size;      /* bytes of an integer argument */
	char conversion;
};

struct output {
	struct format_sink *sink;
	int length;
};

/* A va_list that can be handed on by reference, whatever type it is. */
struct arguments {
	__builtin_va_list list;
};

static void put(struct output *out, const char *text, size_t length)
{
	if (length)
		out->sink->put(out->sink, text, length);
	out->length += (int)length;
}

static void put_repeated(struct output *out, char c, int count)
{
	for (; count > 0; count--)
		put(out, &c, 1);
}

/* One field: padding, sign or base prefix, zeros, body. */
static void put_field(struct output *out, const struct spec *spec, const char *prefix, int zeros,
		      const char *body, size_t body_length)
{
	size_t prefix_length = strlen(prefix);
	int pad = spec->width - (int)(prefix_length + body_length) - zeros;

	if (!spec->left)
		put_repeated(out, ' ', pad);
	put(out, prefix, prefix_length);
	put_repeated(out, '0', zeros);
	put(out, body, body_length);
	if (spec->left)
		put_repeated(out, ' ', pad);
}

static void put_number(struct output *out, const struct spec *spec, uint64_t value,
		       const char *prefix, unsigned base)
{
	const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char buf[24]; /* 2^64 has 22 octal digits */
	char *end = buf + sizeof(buf), *p = end;
	int zeros = 0;

	for (uint64_t rest = value; rest; rest /= base)
		*--p = digits[rest % base];
	if (!value && spec->precision != 0)
		*--p = '0';

	if (spec->precision >= 0)
		zeros = spec->precision - (int)(end - p);
	else if (spec->zero && !spec->left)
		zeros = spec->width - (int)strlen(prefix) - (int)(end - p);
	put_field(out, spec, prefix, zeros > 0 ? zeros : 0, p, (size_t)(end - p));
}

static uint64_t next_unsigned(struct arguments *args, int size)
{
	switch (size) {
	case 1:
		return (uint8_t) __builtin_va_arg(args->list, unsigned);
	case 2:
		return (uint16_t) __builtin_va_arg(args->list, unsigned);
	case 4:
		return __builtin_va_arg(args->list, unsigned);
	default:
		return __builtin_va_arg(args->list, uint64_t);
	}
}

static void put_signed(struct output *out, const struct spec *spec, struct arguments *args)
{
	unsigned unused_bits = 64 - 8 * (unsigned)spec->size;
	int64_t value = (int64_t)(next_unsigned(args, spec->size) << unused_bits) >> unused_bits;
	const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

	put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, sign, 10);
}

static void put_unsigned(struct output *out, const struct spec *spec, struct arguments *args)
{
	uint64_t value = next_unsigned(args, spec->size);
	const char *prefix = "";

	if (spec->alt && value)
		prefix = spec->conversion == 'x'   ? "0x"
			 : spec->conversion == 'X' ? "0X"
			 : spec->conversion == 'o' ? "0"
						   : "";
	put_number(out, spec, value, prefix,
		   spec->conversion == 'o'   ? 8
		   : spec->conversion == 'u' ? 10
					     : 16);
}

static void put_string(struct output *out, const struct spec *spec, struct arguments *args)
{
	const char *s = __builtin_va_arg(args->list, const char *);

	if (!s)
		s = "(null)";
	put_field(out, spec, "", 0, s,
		  strnlen(s, spec->precision < 0 ? SIZE_MAX : (size_t)spec->precision));
}

static void put_char(struct output *out, const struct spec *spec, struct arguments *args)
{
	char c = (char)__builtin_va_arg(args->list, int);

	put_field(out, spec, "", 0, &c, 1);
}

static void put_pointer(struct output *out, const struct spec *spec, struct arguments *args)
{
	put_number(out, spec, (uint64_t) __builtin_va_arg(args->list, void *), "0x", 16);
}

static const char *parse_flags(struct spec *spec, const char *p)
{
	for (;; p++) {
		switch (*p) {
		case '-':
			spec->left = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '#':
			spec->alt = true;
			break;
		default:
			return p;
		}
	}
}

static const char *parse_count(int *count, const char *p, struct arguments *args)
{
	if (*p == '*') {
		*count = __builtin_va_arg(args->list, int);
		return p + 1;
	}
	for (*count = 0; *p >= '0' && *p <= '9'; p++)
		*count = *count * 10 + (*p - '0');
	return p;
}

static const char *parse_size(int *size, const char *p)
{
	*size = 4;
	if (*p == 'h') {
		*size = p[1] == 'h' ? 1 : 2;
		return p + (p[1] == 'h' ? 2 : 1);
	}
	if (*p == 'l' || *p == 'z') {
		*size = 8;
		return p + (*p == 'l' && p[1] == 'l' ? 2 : 1);
	}
	return p;
}

/* From behind the '%' to behind the conversion letter (or onto the end of the format). */
static const char *parse_spec(struct spec *spec, const char *p, struct arguments *args)
{
	*spec = (struct spec){ .precision = -1 };
	p = parse_flags(spec, p);
	p = parse_count(&spec->width, p, args);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*p == '.')
		p = parse_count(&spec->precision, p + 1, args);
	p = parse_size(&spec->size, p);
	spec->conversion = *p;
	return *p ? p + 1 : p;
}

/* `text` is the conversion as written, for one that does not exist. */
static void put_conversion(struct output *out, const struct spec *spec, struct arguments *args,
			   const char *text, size_t length)
{
	switch (spec->conversion) {
	case 'd':
	case 'i':
		return put_signed(out, spec, args);
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		return put_unsigned(out, spec, args);
	case 'c':
		return put_char(out, spec, args);
	case 's':
		return put_string(out, spec, args);
	case 'p':
		return put_pointer(out, spec, args);
	case '%':
		return put(out, "%", 1);
	default:
		return put(out, text, length);
	}
}

int format_text(struct format_sink *sink, const char *fmt, __builtin_va_list list)
{
	struct output out = { .sink = sink };
	struct arguments args;

	__builtin_va_copy(args.list, list);
	while (*fmt) {
		const char *percent = strchr(fmt, '%');
		struct spec spec;

		put(&out, fmt, percent ? (size_t)(percent - fmt) : strlen(fmt));
		if (!percent)
			break;
		fmt = parse_spec(&spec, percent + 1, &args);
		put_conversion(&out, &spec, &args, percent, (size_t)(fmt - percent));
	}
	__builtin_va_end(args.list);
	return out.length;
}

struct buffer_sink {
	struct format_sink sink;
	char *next;
	size_t room; /* without the terminating zero */
};

static void buffer_put(struct format_sink *sink, const char *text, size_t length)
{
	struct buffer_sink *buffer = CONTAINER_OF(sink, struct buffer_sink, sink);
	size_t n = length < buffer->room ? length : buffer->room;

	memcpy(buffer->next, text, n);
	buffer->next += n;
	buffer->room -= n;
}

int kvsnprintf(char *buf, size_t size, const char *fmt, __builtin_va_list args)
{
	struct buffer_sink buffer = { { buffer_put }, buf, size ? size - 1 : 0 };
	int length = format_text(&buffer.sink, fmt, args);

	if (size)
		*buffer.next = '\0';
	return length;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	int length = kvsnprintf(buf, size, fmt, args);
	__builtin_va_end(args);
	return length;
}
