/*
 * The questions of exeat setup: on a terminal, or of a pipe with a line for each. Standard input is read unbuffered, since the password is read past stdio.
 * One thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ask_secret.h"
#include "cli/say.h"
#include "cli/setup.h"

#define LINE_MOST ((size_t)4096)

static bool somebody;

bool setup_somebody_answers(void)
{
    return somebody;
}

bool setup_ask(const char *question, const char *otherwise, struct buf *answer)
{
    char *line = NULL;
    size_t size = 0;
    struct buf prompt = {0};
    buf_addf(&prompt, "%s%s%s%s: ", question, *otherwise ? " [" : "", otherwise, *otherwise ? "]" : "");
    say_clean(stdout, buf_span(&prompt));
    buf_free(&prompt);
    fflush(stdout);
    ssize_t n = getline(&line, &size, stdin);
    struct span text = span_trim(span_make(line, n > 0 ? (size_t)n : 0));
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text = span_trim(span_head(text, text.n - 1));
    buf_clear(answer);
    buf_add_span(answer, text.n ? span_head(text, LINE_MOST) : span_str(otherwise));
    free(line);
    if (n <= 0)
        puts(""); /* what follows is not an answer */
    somebody = somebody || n > 0;
    return n > 0;
}

int setup_ask_yes(const char *question, bool otherwise)
{
    struct buf answer = {0};
    int result = -1;
    for (int i = 0; i < SETUP_ROUNDS && result < 0 && setup_ask(question, otherwise ? "yes" : "no", &answer);
         i++) {
        if (span_ieq(buf_span(&answer), SPAN("y")) || span_ieq(buf_span(&answer), SPAN("yes")))
            result = 1;
        else if (span_ieq(buf_span(&answer), SPAN("n")) || span_ieq(buf_span(&answer), SPAN("no")))
            result = 0;
        else
            puts("Please answer yes or no.");
    }
    buf_free(&answer);
    return result;
}

/* One line of a pipe, and no more of it: other answers follow. */
static bool password_from_pipe(struct secret *out, struct err *e)
{
    char *line = NULL;
    size_t size = 0;
    printf("Password: ");
    fflush(stdout);
    ssize_t n = getline(&line, &size, stdin);
    puts("");
    if (n > 0 && line[n - 1] == '\n')
        n--;
    if (n > 0 && (size_t)n <= SECRET_LONGEST)
        secret_set(out, span_make(line, (size_t)n));
    if (line)
        secret_wipe(line, size);
    free(line);
    return secret_present(out) ||
           err_set(e, ERR_LIMIT, n > 0 ? "the password is longer than %zu bytes" : "the password is empty",
                   SECRET_LONGEST);
}

void setup_ask_password(struct secret *out)
{
    struct err e = {0};
    fflush(stdout);
    for (int i = 0; i < SETUP_ROUNDS; i++) {
        bool taken = isatty(STDIN_FILENO) ? secret_from_stdin(out, &e) : password_from_pipe(out, &e);
        if (taken)
            return;
        if (strstr(e.text, "empty"))
            break;
        printf("%s.\n", e.text);
    }
    puts("No password for now; \"exeat login\" takes it later.");
}
