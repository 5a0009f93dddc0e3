/*
 * The road from a verb to the agent: our runtime directory, its control socket, one question.
 */
#include "cli/ask_agent.h"

#include <stdlib.h>

#include "cli/progress.h"
#include "cli/say.h"

struct control_link *open_agent(struct err *e)
{
    char *path = say_socket_path("control", e);
    struct control_link *l = path ? control_open(path, AGENT_PATIENCE_MS, e) : NULL;
    free(path);
    return l;
}

json_t *ask_question(struct control_link *l, json_t *question, struct err *e)
{
    progress_begin("waiting for the agent");
    json_t *answer = control_question(l, question, AGENT_PATIENCE_MS, e);
    progress_end();
    return answer;
}

json_t *question_agent(struct control_link *l, const char *verb, struct err *e)
{
    json_t *question = json_pack("{s:s}", "verb", verb);
    json_t *answer = ask_question(l, question, e);
    json_decref(question);
    return answer;
}

json_t *ask_agent(const char *verb, struct err *e)
{
    struct control_link *l = open_agent(e);
    json_t *answer = l ? question_agent(l, verb, e) : NULL;
    control_close(l);
    return answer;
}
