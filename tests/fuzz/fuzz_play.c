/*
 * Sequences of operations on the mm: the input's bytes are operations of model_play.h, three bytes
 * each, played on the implementation, the model, the MMU and the devices at once.
 */
#include <mm/copy.h>
#include <tests/fuzz/fuzz.h>
#include <tests/kernel/model_play.h>

#define OP_BYTES 3
#define OPS_MAX 64 /* long ones find little more, and few of them can be tried */

/* Any number, as an operation that there is. */
static uint32_t to_op(uint32_t number)
{
	struct play_op op = play_decode(number);

	op.kind %= PLAY_KIND_COUNT;
	return play_encode(op);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static uint32_t code[OPS_MAX];
	struct play_result result;
	unsigned count = 0;

	for (; count < OPS_MAX && size >= OP_BYTES; count++, data += OP_BYTES, size -= OP_BYTES)
		code[count] = to_op(data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16);
	result = play_run(code, count);
	if (result.failed)
		fuzz_fail(result.what);
}
