/*
 * Included before every file that clang-tidy reads (but err.c): tells its analyzer, which sees one file at a time, what err.c does, that
 * "return err_set(...)" returns false.
 */
#include "base/err.h"

#define err_set(...)   (err_set(__VA_ARGS__), false)
#define err_errno(...) (err_errno(__VA_ARGS__), false)
