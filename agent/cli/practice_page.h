/*
 * A page to practise with where there is no Internet: one origin server on loopback that has one page. One loop's thread.
 */
#ifndef EXEAT_CLI_PRACTICE_PAGE_H
#define EXEAT_CLI_PRACTICE_PAGE_H

#include "net/given.h"

extern const char practice_page_text[];

struct page;
/* Listens on `at` (lent). NULL: *e. */
struct page *page_serve(struct loop *loop, const struct given *at, struct err *e);
void page_free(struct page *p); /* NULL is allowed */

#endif
