/*
 * Linked into every unit program: with EXEAT_UNIT_CASE=NAME in the environment it runs that case alone. For tests/mutate.py, and whoever looks
 * for a fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void choose_case(void)
{
    const char *name = getenv("EXEAT_UNIT_CASE");
    if (name)
        cmocka_set_test_filter(name);
}
