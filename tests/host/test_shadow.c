/*
 * AddressSanitizer knows which frames are free. Host only.
 */
#include <arch/shadow.h>
#include <mm/frame.h>
#include <tests/kernel/test.h>

#ifdef HOST_ASAN
#define IS_FORBIDDEN(ptr, bytes) (__asan_region_is_poisoned(ptr, bytes) == (ptr))
#define IS_ALLOWED(ptr, bytes) (__asan_region_is_poisoned(ptr, bytes) == NULL)
#endif

// A block in use is allowed ground to its last byte, and forbidden once it is freed.
TEST(shadow, free_frames_are_forbidden)
{
#ifdef HOST_ASAN
	for (unsigned order = 0; order <= 9; order++) {
		struct frame *f = frame_alloc(order, FRAME_DATA);
		size_t bytes = PAGE_SIZE << order;
		char *ptr;

		REQUIRE(f != NULL);
		ptr = pa_to_ptr(frame_to_pa(f));
		EXPECT(IS_ALLOWED(ptr, bytes));
		frame_free(f);
		EXPECT(IS_FORBIDDEN(ptr, 1ul));
		EXPECT(IS_FORBIDDEN(ptr + bytes - 1, 1ul));
	}
#else
	TEST_SKIP("not built with AddressSanitizer");
#endif
}

// Memory that was never handed out is forbidden, too.
TEST(shadow, fresh_memory_is_forbidden)
{
#ifdef HOST_ASAN
	uint64_t fresh_count = 0;

	for (pfn_t pfn = 0; pfn < frame_limit; pfn++) {
		struct frame *f = &frame_array[pfn];

		if (f->kind != FRAME_FREE)
			continue;
		fresh_count++;
		EXPECT(IS_FORBIDDEN((char *)pa_to_ptr(frame_to_pa(f)), 1ul));
	}
	EXPECT(fresh_count > 0);
#else
	TEST_SKIP("not built with AddressSanitizer");
#endif
}
