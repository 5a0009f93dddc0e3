/* Faces of a proxy: who shares one, what is its own and what the proxy's, and when they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route/route.h"

static struct hop *proxy(const char *lines)
{
    static struct config *c;
    struct err e = {0};
    char text[512];
    snprintf(text, sizeof text, "[upstream a]\nproxy = http://p.example:3128\n%s", lines);
    c = config_load_text("t.conf", span_str(text), &e);
    if (!c)
        fail_msg("%s", e.text);
    struct hop *h = hop_new_proxy(&c->upstreams[0], &c->upstreams[0].proxies[0], &e);
    config_unref(c);
    if (!h)
        fail_msg("%s", e.text);
    return h;
}

static void one_for_each_user_and_password(void **state)
{
    (void)state;
    struct hop *base = proxy("client-credentials = use\nconnections = 7\n");
    assert_true(base->uses_client);
    struct hop *alice = hop_as(base, SPAN("alice"), SPAN("x")),
               *again = hop_as(base, SPAN("alice"), SPAN("x"));
    struct hop *other = hop_as(base, SPAN("alice"), SPAN("y")), *bob = hop_as(base, SPAN("bob"), SPAN("x"));
    struct hop *colon = hop_as(base, SPAN("alice:x"), SPAN("")), *bare = hop_bare(base);
    assert_ptr_equal(alice, again);
    struct hop *all[] = {base, alice, other, bob, colon, bare};
    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(all[i], all[k]);
    assert_string_equal(alice->user, "alice");
    assert_string_equal(alice->upstream, "a");
    assert_int_equal(alice->connections, 7);
    assert_int_equal(alice->spares, 0); /* nobody's connections are made ready ahead of need */
    assert_true(alice->authenticates);
    assert_false(bare->authenticates);
    assert_null(bare->user);
    hop_unref(again);
    for (size_t i = 6; i-- > 0;)
        hop_unref(all[i]);
}

static void it_goes_with_its_last_user(void **state)
{
    (void)state;
    struct hop *base = proxy("client-credentials = use\n");
    struct hop *alice = hop_as(base, SPAN("alice"), SPAN("x"));
    hop_unref(alice);
    assert_true(list_empty(&base->faces));
    alice = hop_as(base, SPAN("alice"), SPAN("x"));
    hop_unref(base); /* a reload: the proxy stays while a face of it does */
    assert_ptr_equal(hop_base(alice), base);
    hop_unref(alice);
}

static void there_is_a_most(void **state)
{
    (void)state;
    struct hop *base = proxy("client-credentials = use\n"), *faces[HOP_FACES_MOST];
    char user[16];
    for (int i = 0; i < HOP_FACES_MOST; i++) {
        snprintf(user, sizeof user, "user%d", i);
        faces[i] = hop_as(base, span_str(user), SPAN("x"));
        assert_non_null(faces[i]);
    }
    assert_null(hop_as(base, SPAN("one-more"), SPAN("x")));
    struct hop *known = hop_as(base, SPAN("user0"), SPAN("x"));
    assert_ptr_equal(known, faces[0]);
    hop_unref(known);
    hop_unref(faces[9]);
    struct hop *more = hop_as(base, SPAN("one-more"), SPAN("x"));
    assert_non_null(more);
    hop_unref(more);
    for (int i = 0; i < HOP_FACES_MOST; i++)
        if (i != 9)
            hop_unref(faces[i]);
    hop_unref(base);
}

/* A proxy that cannot be reached sleeps for all of its faces, and wakes for all. */
static void they_sleep_together(void **state)
{
    (void)state;
    struct hop *base = proxy("client-credentials = use\n"), *alice = hop_as(base, SPAN("alice"), SPAN("x"));
    hop_failed(alice, 1000, 0, "no route");
    assert_true(hop_asleep(base, 1001));
    assert_string_equal(base->asleep_why, "no route");
    hop_wake(alice);
    assert_false(hop_asleep(base, 1001));
    hop_asked(alice);
    hop_answered(alice);
    assert_true(base->asks && base->known);
    hop_unref(alice);
    hop_unref(base);
}

/* What an exempt site was let through with says nothing about the others. */
static void the_bare_one_teaches_nothing(void **state)
{
    (void)state;
    struct hop *base = proxy(""), *bare = hop_bare(base);
    struct hop *again = hop_bare(base);
    assert_ptr_equal(bare, again);
    hop_answered(bare);
    assert_true(bare->known);
    assert_false(base->known);
    hop_unref(again);
    hop_unref(bare);
    hop_unref(base);
}

/* --- users of gateways --- */

static struct hop *acts(struct hop *base, const char *user)
{
    return hop_acting(base, SPAN("gateway"), span_str(user), false);
}

static void one_for_each_user_of_each_gateway(void **state)
{
    (void)state;
    struct hop *base = proxy("connections = 7\nspares = 3\nno-auth = free.example\n");
    struct hop *alice = acts(base, "alice"), *bob = acts(base, "bob"), *bare = hop_bare(base);
    struct hop *elsewhere = hop_acting(base, SPAN("other"), SPAN("alice"), false);
    struct hop *between = hop_acting(base, SPAN("gate"), SPAN("wayalice"), false);
    struct hop *exempt = hop_acting(base, SPAN("gateway"), SPAN("alice"), true),
               *brought = hop_as(base, SPAN("alice"), SPAN(""));
    struct hop *again = acts(base, "alice"), *bare_again = hop_bare(base);
    assert_ptr_equal(alice, again);
    assert_ptr_equal(bare, bare_again);
    struct hop *all[] = {base, alice, bob, bare, elsewhere, between, exempt, brought};
    for (size_t i = 0; i < 8; i++)
        for (size_t k = 0; k < i; k++)
            assert_ptr_not_equal(all[i], all[k]);
    assert_string_equal(alice->upstream, "a");
    assert_string_equal(alice->name, base->name);
    assert_int_equal(alice->connections, 7);
    assert_int_equal(alice->spares, 0);
    assert_true(alice->authenticates);
    assert_null(alice->user);
    assert_false(exempt->authenticates);
    assert_true(exempt->bare);
    assert_int_equal(hop_users(base), 5);
    assert_true(hop_shows_identity(base, false));
    assert_false(hop_shows_identity(base, true));
    hop_unref(again);
    hop_unref(bare_again);
    for (size_t i = 8; i-- > 1;)
        hop_unref(all[i]);
    assert_true(list_empty(&base->faces));
    hop_unref(base);
}

/* What leads to it does so for the same user, wherever somebody is shown who that is. */
static void the_way_there_is_the_users_too(void **state)
{
    (void)state;
    struct hop *near = proxy(""), *open = proxy("auth = none\n"), *far = proxy("auth = none\n");
    struct hop *through[] = {near, open};
    hop_lead_through(far, through, 2);
    struct hop *site = hop_new_beyond(far, SPAN("site.example"), 443),
               *plain = hop_new_beyond(open, SPAN("site.example"), 443);
    assert_true(hop_shows_identity(site, false));
    assert_false(hop_shows_identity(plain, false));
    struct hop *alice = acts(site, "alice"), *bob = acts(site, "bob");
    struct hop *her_far = alice->through[0], *her_near = her_far->through[0];
    assert_true(hop_is_direct(alice));
    assert_ptr_equal(her_far->base, far);
    assert_ptr_equal(her_near->base, near);
    assert_ptr_equal(her_far->through[1], open);
    assert_string_equal(her_near->acts_for, alice->acts_for);
    assert_ptr_not_equal(bob->through[0], her_far);
    hop_failed(her_near, 1000, 0, "no route");
    assert_true(hop_asleep(bob->through[0]->through[0], 1001));
    struct hop *ours[] = {alice, bob, site, plain, far, open, near};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        hop_unref(ours[i]);
}

/* Where the way is full, there is none at its end either; and nothing is left of the attempt. */
static void users_have_a_most(void **state)
{
    (void)state;
    struct hop *base = proxy(""), *far = proxy("auth = none\n"), *faces[HOP_USERS_MOST];
    char user[16];
    hop_lead_through(far, &base, 1);
    for (int i = 0; i < HOP_USERS_MOST; i++) {
        snprintf(user, sizeof user, "user%d", i);
        faces[i] = acts(base, user);
        assert_non_null(faces[i]);
    }
    assert_null(acts(base, "one-more"));
    assert_null(acts(far, "one-more"));
    assert_true(list_empty(&far->faces));
    struct hop *known = acts(far, "user7");
    assert_ptr_equal(known->through[0], faces[7]);
    struct hop *brought = hop_as(base, SPAN("user0"), SPAN("x")); /* these are counted apart */
    assert_non_null(brought);
    hop_unref(brought);
    hop_unref(known);
    hop_unref(faces[9]);
    faces[9] = acts(base, "one-more");
    assert_non_null(faces[9]);
    for (int i = 0; i < HOP_USERS_MOST; i++)
        hop_unref(faces[i]);
    hop_unref(far);
    hop_unref(base);
}

static unsigned met;

static void meet(struct hop *h)
{
    assert_string_equal(hop_known_as(h, SPAN("a")), "CORP\\alice");
    met++;
}

static void known_as(struct hop *face, const char *name)
{
    free(face->known_as);
    face->known_as = strdup(name);
}

/* The name that the keyholder gives is the account's: two gateways may have it, and two names of a gateway's may be it. */
static void found_by_their_name_at_the_upstream(void **state)
{
    (void)state;
    struct hop *far = proxy(""), *near = proxy(""), *through[] = {near};
    free(far->upstream);
    far->upstream = strdup("far");
    hop_lead_through(far, through, 1);
    struct hop *faces[] = {acts(near, "alice"), hop_acting(near, SPAN("other"), SPAN("Alice"), false),
                           acts(near, "bob"), acts(far, "alice"), acts(far, "bob")};
    assert_null(hop_known_as(faces[0], SPAN("a")));
    hop_visit_user(near, SPAN("a"), SPAN(""), meet);
    known_as(faces[0], "CORP\\alice");
    known_as(faces[1], "CORP\\alice");
    known_as(faces[2], "CORP\\bob");
    known_as(faces[3], "far\\alice");
    known_as(faces[4], "far\\bob");
    assert_string_equal(hop_known_as(faces[3], SPAN("far")), "far\\alice");
    assert_null(hop_known_as(faces[0], SPAN("far")));
    hop_visit_user(near, SPAN("a"), SPAN("CORP\\alice"), meet);
    assert_int_equal(met, 2);
    hop_visit_user(far, SPAN("a"), SPAN("CORP\\alice"), meet); /* on the way to it */
    assert_int_equal(met, 3);
    hop_visit_user(far, SPAN("far"), SPAN("CORP\\alice"), meet);
    assert_int_equal(met, 3);
    for (size_t i = 0; i < sizeof faces / sizeof *faces; i++)
        hop_unref(faces[i]);
    hop_unref(far);
    hop_unref(near);
}

static struct hop *visited[8];
static size_t n_visited;

static void note(struct hop *h)
{
    visited[n_visited++] = h;
}

/* A new secret of the machine's own: whoever is led there as the machine is concerned, and no gateway's user. */
static void the_machines_own_ways(void **state)
{
    (void)state;
    struct hop *near = proxy(""), *far = proxy("client-credentials = use\n"), *through[] = {near};
    free(far->upstream);
    far->upstream = strdup("far");
    hop_lead_through(far, through, 1);
    struct hop *brought = hop_as(far, SPAN("alice"), SPAN("x")), *bare = hop_bare(far);
    struct hop *hers = acts(far, "alice"), *free_hers = hop_acting(far, SPAN("gateway"), SPAN("alice"), true),
               *at_near = hop_as(near, SPAN("alice"), SPAN("x"));
    hop_visit_own(far, SPAN("other"), note);
    assert_int_equal(n_visited, 0);
    hop_visit_own(far, SPAN("a"), note);
    assert_int_equal(n_visited, 3);
    assert_ptr_equal(visited[0], bare);
    assert_ptr_equal(visited[1], brought);
    assert_ptr_equal(visited[2], far);
    hop_visit_own(near, SPAN("a"), note);
    assert_int_equal(n_visited, 4);
    assert_ptr_equal(visited[3], near);
    struct hop *ours[] = {brought, bare, hers, free_hers, at_near, far, near};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        hop_unref(ours[i]);
}

static void exempt(void **state)
{
    (void)state;
    struct hop *base = proxy("no-auth = .free.example 192.0.2.0/24 other.example:8080\n");
    assert_true(hop_exempts(base, SPAN("www.Free.example"), 443));
    assert_true(hop_exempts(base, SPAN("192.0.2.7"), 80));
    assert_true(hop_exempts(base, SPAN("other.example"), 8080));
    assert_false(hop_exempts(base, SPAN("other.example"), 80));
    assert_false(hop_exempts(base, SPAN("notfree.example"), 80));
    hop_unref(base);
}

static void a_bad_pattern(void **state)
{
    (void)state;
    struct err e = {0};
    struct config *c = config_load_text(
        "t.conf", SPAN("[upstream a]\nproxy = http://p:1\nno-auth = ok.example 10.0.0.0/99\n"), &e);
    assert_null(c);
    assert_non_null(strstr(e.text, "t.conf:3: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each_user_and_password),
        cmocka_unit_test(it_goes_with_its_last_user),
        cmocka_unit_test(there_is_a_most),
        cmocka_unit_test(they_sleep_together),
        cmocka_unit_test(the_bare_one_teaches_nothing),
        cmocka_unit_test(one_for_each_user_of_each_gateway),
        cmocka_unit_test(the_way_there_is_the_users_too),
        cmocka_unit_test(users_have_a_most),
        cmocka_unit_test(found_by_their_name_at_the_upstream),
        cmocka_unit_test(the_machines_own_ways),
        cmocka_unit_test(exempt),
        cmocka_unit_test(a_bad_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
