/*
 * Matching without going back: the pattern becomes a small program (Thompson's construction), and all its states that are possible after each
 * character are kept at once. So "*a*a*a*a*b" costs no more than any other pattern.
 */
#include "pac/shexp.h"

#include <stdlib.h>

#include "base/buf.h"
#include "pac/text.h"

#define DEEPEST 64 /* nested groups; a deeper '(' stands for itself */

enum op { OP_CHAR, OP_ANY, OP_SET, OP_SPLIT, OP_JUMP, OP_MATCH };

struct step {
    enum op op;
    uint32_t c;       /* OP_CHAR */
    struct span set;  /* OP_SET: what stands between the brackets */
    size_t to, other; /* OP_JUMP: to; OP_SPLIT: both */
};

struct program {
    struct span pattern;
    size_t *partner; /* of each '(' its ')': an index into the pattern, or 0 */
    struct step *steps;
    size_t n, cap;
};

/* --- the pattern as a program --- */

static size_t emit(struct program *p, struct step step)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 64;
        p->steps = mem_grow(p->steps, p->cap * sizeof *p->steps);
    }
    p->steps[p->n] = step;
    return p->n++;
}

/* Which parentheses belong together. */
static void find_partners(struct program *p)
{
    size_t *open = mem_alloc((p->pattern.n + 1) * sizeof *open), depth = 0;
    p->partner = mem_zero((p->pattern.n + 1) * sizeof *p->partner);
    for (size_t i = 0; i < p->pattern.n; i++) {
        if (p->pattern.p[i] == '(')
            open[depth++] = i;
        else if (p->pattern.p[i] == ')' && depth)
            p->partner[open[--depth]] = i;
    }
    free(open);
}

static size_t compile(struct program *p, size_t at, size_t end, unsigned depth);

/* The set that begins at `at` with '['; its length with both brackets, or 0 when it has no end. */
static size_t set_length(const struct program *p, size_t at, size_t end)
{
    struct span rest = span_make(p->pattern.p + at, end - at);
    size_t skip = rest.n > 1 && (rest.p[1] == '^' || rest.p[1] == '!') ? 3 : 2;
    size_t close = span_find(span_from(rest, skip), ']');
    return skip + close < rest.n ? skip + close + 1 : 0;
}

/* One character of the pattern, or a group or set. Where the next one begins. */
static size_t compile_one(struct program *p, size_t at, size_t end, unsigned depth)
{
    char c = p->pattern.p[at];
    size_t n;
    if (c == '*') {
        size_t split = emit(p, (struct step){.op = OP_SPLIT, .to = p->n + 1, .other = p->n + 3});
        emit(p, (struct step){.op = OP_ANY});
        emit(p, (struct step){.op = OP_JUMP, .to = split});
    } else if (c == '?') {
        emit(p, (struct step){.op = OP_ANY});
    } else if (c == '(' && p->partner[at] && depth < DEEPEST) {
        return compile(p, at + 1, p->partner[at], depth + 1) + 1;
    } else if (c == '[' && (n = set_length(p, at, end)) != 0) {
        emit(p, (struct step){.op = OP_SET, .set = span_make(p->pattern.p + at + 1, n - 2)});
        return at + n;
    } else {
        struct span rest = span_make(p->pattern.p + at, end - at);
        emit(p, (struct step){.op = OP_CHAR, .c = text_next(&rest)});
        return end - rest.n;
    }
    return at + 1;
}

/* Alternatives up to `end`. Each begins with a jump that goes nowhere, until it turns out that another alternative follows. */
static size_t compile(struct program *p, size_t at, size_t end, unsigned depth)
{
    size_t begin = emit(p, (struct step){.op = OP_JUMP, .to = p->n + 1});
    size_t last = 0; /* the jumps to the end of the group, chained by `other`; 0: none */
    while (at < end) {
        if (p->pattern.p[at] != '|') {
            at = compile_one(p, at, end, depth);
            continue;
        }
        last = emit(p, (struct step){.op = OP_JUMP, .other = last});
        p->steps[begin].op = OP_SPLIT;
        p->steps[begin].other = p->n;
        begin = emit(p, (struct step){.op = OP_JUMP, .to = p->n + 1});
        at++;
    }
    for (size_t next; last; last = next) {
        next = p->steps[last].other;
        p->steps[last].to = p->n;
    }
    return end;
}

/* --- running it --- */

struct states {
    size_t *at, n;
};

struct run {
    const struct program *program;
    struct states now, next;
    size_t *seen, round; /* seen[i] == round: step i is in `next` already */
    size_t *todo;
};

/* Adds a step, and those that it leads to without a character. */
static void add(struct run *r, size_t at)
{
    size_t n = 0;
    r->todo[n++] = at;
    while (n) {
        at = r->todo[--n];
        if (r->seen[at] == r->round)
            continue;
        r->seen[at] = r->round;
        const struct step *step = &r->program->steps[at];
        if (step->op == OP_SPLIT)
            r->todo[n++] = step->other;
        if (step->op == OP_SPLIT || step->op == OP_JUMP)
            r->todo[n++] = step->to;
        else
            r->next.at[r->next.n++] = at;
    }
}

static bool in_set(struct span set, uint32_t c)
{
    bool inverse = set.n && (set.p[0] == '^' || set.p[0] == '!');
    set = span_from(set, inverse);
    while (set.n) {
        uint32_t from = text_next(&set), to = from;
        if (set.n >= 2 && set.p[0] == '-') {
            set = span_from(set, 1);
            to = text_next(&set);
        }
        if (c >= from && c <= to)
            return !inverse;
    }
    return inverse;
}

static bool accepts(const struct step *step, uint32_t c)
{
    return step->op == OP_ANY || (step->op == OP_CHAR && step->c == c) ||
           (step->op == OP_SET && in_set(step->set, c));
}

static void swap(struct run *r)
{
    struct states before = r->now;
    r->now = r->next;
    r->next = before;
    r->next.n = 0;
    r->round++;
}

static bool run_program(const struct program *p, struct span text)
{
    size_t *memory = mem_zero(5 * p->n * sizeof *memory);
    struct run r = {.program = p,
                    .now.at = memory,
                    .next.at = memory + p->n,
                    .seen = memory + 2 * p->n,
                    .todo =
                        memory + 3 * p->n, /* twice: a step may be waiting there again before it is seen */
                    .round = 1};
    bool matched = false;
    add(&r, 0);
    swap(&r);
    while (text.n && r.now.n) {
        uint32_t c = text_next(&text);
        for (size_t i = 0; i < r.now.n; i++)
            if (accepts(&p->steps[r.now.at[i]], c))
                add(&r, r.now.at[i] + 1);
        swap(&r);
    }
    for (size_t i = 0; i < r.now.n && text.n == 0; i++)
        matched |= p->steps[r.now.at[i]].op == OP_MATCH;
    free(memory);
    return matched;
}

bool shexp_match(struct span text, struct span pattern)
{
    struct program p = {.pattern = pattern};
    find_partners(&p);
    compile(&p, 0, pattern.n, 0);
    emit(&p, (struct step){.op = OP_MATCH});
    bool matched = run_program(&p, text);
    free(p.steps);
    free(p.partner);
    return matched;
}
