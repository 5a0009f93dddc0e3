/*
 * JavaScriptCore through its C interface. The builtins become functions of the global object, as in a browser: a script may replace them, for
 * itself. URL and host go in as values, never as text of a program. Exceptions come out as a sentence with file and line; anything in them may
 * be the script's own invention, also what happens when they are turned into text.
 */
#include "pac/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include <JavaScriptCore/JavaScript.h>
#include <jsc/jsc.h>

#include "pac/text.h"
#include "wire/pac_msg.h"

#define CHARACTERS_MAX ((size_t)1 << 20) /* of one argument of a builtin */
#define WHY_CHARACTERS ((size_t)300)

struct engine {
    JSGlobalContextRef context;
    const struct pac_world *world;
    JSObjectRef find;
    const char *find_name;
    char *name; /* of the script */
};

/* Callbacks of the engine carry no pointer of ours for plain functions; there is one engine per process. */
static struct engine *the_engine;

/* --- text in and out --- */

static JSStringRef string_of(struct span text)
{
    struct buf units = {0};
    text_to_utf16(text, &units);
    JSStringRef s = JSStringCreateWithCharacters((const JSChar *)(const void *)units.p, units.n / 2);
    buf_free(&units);
    return s;
}

static JSStringRef string_of_str(const char *text)
{
    return string_of(span_str(text));
}

/* Appends as UTF-8, at most `most` characters of it. */
static void add_string(struct buf *out, JSStringRef s, size_t most)
{
    JSStringRef part = NULL;
    if (JSStringGetLength(s) > most)
        s = part = JSStringCreateWithCharacters(JSStringGetCharactersPtr(s), most);
    size_t room = JSStringGetMaximumUTF8CStringSize(s);
    if (buf_reserve(out, room)) {
        size_t n = JSStringGetUTF8CString(s, out->p + out->n, room);
        out->n += n ? n - 1 : 0;
    }
    if (part)
        JSStringRelease(part);
}

static JSValueRef property(struct engine *e, JSObjectRef object, const char *name)
{
    JSValueRef exception = NULL;
    JSStringRef s = string_of_str(name);
    JSValueRef value = JSObjectGetProperty(e->context, object, s, &exception);
    JSStringRelease(s);
    return exception ? NULL : value;
}

/* Of a string value, without making one piece of it first: a script can join up a gigabyte out of one letter. */
static double length_of(struct engine *e, JSValueRef text)
{
    JSObjectRef object = JSValueToObject(e->context, text, NULL);
    JSValueRef length = object ? property(e, object, "length") : NULL;
    return length ? JSValueToNumber(e->context, length, NULL) : 0;
}

/* --- exceptions in words --- */

static void add_words(struct engine *e, JSValueRef value, struct buf *why)
{
    JSStringRef s = JSValueIsString(e->context, value) && length_of(e, value) > (double)CHARACTERS_MAX
                        ? NULL
                        : JSValueToStringCopy(e->context, value, NULL);
    if (!s) {
        buf_add_str(why, "an exception that cannot be put into words");
        return;
    }
    add_string(why, s, WHY_CHARACTERS);
    JSStringRelease(s);
}

static void explain(struct engine *e, JSValueRef exception, struct buf *why)
{
    JSValueRef line = NULL;
    if (JSValueIsObject(e->context, exception))
        line = property(e, JSValueToObject(e->context, exception, NULL), "line");
    buf_add_str(why, e->name);
    if (line && JSValueIsNumber(e->context, line))
        buf_addf(why, ":%.0f", JSValueToNumber(e->context, line, NULL));
    buf_add_str(why, ": ");
    if (!JSValueIsObject(e->context, exception))
        buf_add_str(why, "uncaught exception: ");
    add_words(e, exception, why);
}

/* --- builtins --- */

static JSValueRef throw_error(JSContextRef context, const char *words, JSValueRef *exception)
{
    JSStringRef s = string_of_str(words);
    JSValueRef message = JSValueMakeString(context, s);
    *exception = JSObjectMakeError(context, 1, &message, NULL);
    JSStringRelease(s);
    return JSValueMakeUndefined(context);
}

/* false: *exception is set. What is missing, null or undefined becomes a span without a place. */
static bool read_argument(JSContextRef context, JSValueRef value, struct buf *text, struct span *out,
                          JSValueRef *exception)
{
    *out = (struct span){0};
    if (JSValueIsUndefined(context, value) || JSValueIsNull(context, value))
        return true;
    JSStringRef s = JSValueToStringCopy(context, value, exception);
    if (!s)
        return false;
    if (JSStringGetLength(s) > CHARACTERS_MAX) {
        JSStringRelease(s);
        throw_error(context, "an argument is too long", exception);
        return false;
    }
    buf_reserve(text, 1); /* an empty text has a place */
    add_string(text, s, CHARACTERS_MAX);
    JSStringRelease(s);
    *out = buf_span(text);
    return true;
}

static JSValueRef value_of(JSContextRef context, const struct pac_value *v)
{
    switch (v->kind) {
    case PAC_NULL:
        return JSValueMakeNull(context);
    case PAC_TRUTH:
        return JSValueMakeBoolean(context, v->truth);
    case PAC_NUMBER:
        return JSValueMakeNumber(context, v->number);
    case PAC_TEXT: {
        JSStringRef s = string_of(buf_span(&v->text));
        JSValueRef value = JSValueMakeString(context, s);
        JSStringRelease(s);
        return value;
    }
    default:
        return JSValueMakeUndefined(context);
    }
}

static JSValueRef run_builtin(JSContextRef context, const struct pac_builtin *builtin, size_t n,
                              const JSValueRef *values, JSValueRef *exception)
{
    struct buf texts[PAC_ARGUMENTS_MAX] = {0};
    struct span args[PAC_ARGUMENTS_MAX];
    struct pac_value answer = {.kind = PAC_UNDEFINED};
    bool good = true;
    if (n > PAC_ARGUMENTS_MAX)
        n = PAC_ARGUMENTS_MAX;
    for (size_t i = 0; i < n && good; i++)
        good = read_argument(context, values[i], &texts[i], &args[i], exception);
    if (good)
        builtin->run(the_engine->world, args, n, &answer);
    JSValueRef value = good ? value_of(context, &answer) : JSValueMakeUndefined(context);
    for (size_t i = 0; i < n; i++)
        buf_free(&texts[i]);
    buf_free(&answer.text);
    return value;
}

/* Which builtin it is stands in the function's own object, out of the script's reach. */
static JSValueRef builtin_called(JSContextRef context, JSObjectRef function, JSObjectRef self, size_t n,
                                 const JSValueRef *values, JSValueRef *exception)
{
    (void)self;
    return run_builtin(context, JSObjectGetPrivate(function), n, values, exception);
}

static void add_builtins(struct engine *e)
{
    JSClassDefinition definition = kJSClassDefinitionEmpty;
    definition.className = "Function";
    definition.callAsFunction = builtin_called;
    JSClassRef class = JSClassCreate(&definition);
    JSObjectRef global = JSContextGetGlobalObject(e->context);
    JSObjectRef ordinary = JSValueToObject(e->context, property(e, global, "Function"), NULL);
    JSValueRef prototype = property(e, ordinary, "prototype");
    for (size_t i = 0; i < pac_n_builtins; i++) {
        JSStringRef name = string_of_str(pac_builtins[i].name);
        JSObjectRef function = JSObjectMake(e->context, class, (void *)(uintptr_t)&pac_builtins[i]);
        JSObjectSetPrototype(e->context, function, prototype); /* for .call and .apply */
        JSObjectSetProperty(e->context, global, name, function, kJSPropertyAttributeDontEnum, NULL);
        JSStringRelease(name);
    }
    JSClassRelease(class);
}

/* --- the script --- */

static JSValueRef evaluate(struct engine *e, struct span text, struct span name, JSValueRef *exception)
{
    JSStringRef script = string_of(text), source = string_of(name);
    JSValueRef value = JSEvaluateScript(e->context, script, NULL, source, 1, exception);
    JSStringRelease(script);
    JSStringRelease(source);
    return value;
}

/* Time zone, locale data, threads of the collector: whatever needs a file is opened at the first use, and later there are no files. */
static const char warm_up[] =
    "(function () { var i, kept = [];"
    "for (i = 0; i < 20000; i++) kept[i % 500] = { text: 'a' + i, list: [i] };"
    "return new Date(2024, 6, 1).toString() + new Date(0).toLocaleString() + 'b'.localeCompare('a') +"
    "new Intl.DateTimeFormat().format(0) + '\\u0130'.toLocaleLowerCase() + 'x'.normalize('NFD') + "
    "/\\p{L}+/u.test('x') + JSON.stringify(kept).length; })()";

/* The compiler must be off before the engine starts: the sandbox allows no memory that can be run. The names of the options differ among the
   engine's versions; one that is not there is no loss. */
static bool set_options(void)
{
    jsc_options_set_boolean("useWasm", FALSE);
    jsc_options_set_boolean("useWebAssembly", FALSE);
    jsc_options_set_boolean("useSharedArrayBuffer", FALSE);
    jsc_options_set_uint("numberOfGCMarkers", 1);
    return jsc_options_set_boolean(JSC_OPTIONS_USE_JIT, FALSE);
}

struct engine *engine_new(const struct pac_world *world, const char **why)
{
    JSValueRef exception = NULL;
    *why = "the JavaScript engine cannot be used without its compiler";
    if (!set_options())
        return NULL;
    struct engine *e = mem_zero(sizeof *e);
    tzset();
    e->world = world;
    e->context = JSGlobalContextCreate(NULL);
    the_engine = e;
    evaluate(e, span_str(warm_up), SPAN("start"), &exception);
    JSGarbageCollect(e->context);
    *why = "the JavaScript engine does not work";
    if (exception)
        return NULL;
    add_builtins(e);
    return e;
}

/* By name, in a fixed text: "const FindProxyForURL = ..." is no property of the global object. */
static JSObjectRef find_function(struct engine *e, const char *text)
{
    JSValueRef exception = NULL;
    JSValueRef value = evaluate(e, span_str(text), SPAN("exeat-pac"), &exception);
    return !exception && value && JSValueIsObject(e->context, value)
               ? JSValueToObject(e->context, value, NULL)
               : NULL;
}

static bool find_entry(struct engine *e)
{
    static const struct {
        const char *name, *text;
    } entries[] = {
        {"FindProxyForURLEx", "typeof FindProxyForURLEx === 'function' ? FindProxyForURLEx : null"},
        {"FindProxyForURL", "typeof FindProxyForURL === 'function' ? FindProxyForURL : null"},
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries && !e->find; i++) {
        e->find = find_function(e, entries[i].text);
        e->find_name = entries[i].name;
    }
    if (e->find)
        JSValueProtect(e->context, e->find);
    return e->find != NULL;
}

bool engine_load(struct engine *e, struct span name, struct span script, struct buf *why)
{
    JSValueRef exception = NULL;
    e->name = span_dup(name);
    evaluate(e, script, name, &exception);
    if (exception) {
        explain(e, exception, why);
        return false;
    }
    if (find_entry(e))
        return true;
    buf_addf(why, "%s: there is no function FindProxyForURL in it", e->name);
    return false;
}

static const char *kind_of(struct engine *e, JSValueRef value)
{
    static const char *const names[] = {[kJSTypeUndefined] = "nothing (undefined)",
                                        [kJSTypeNull] = "null",
                                        [kJSTypeBoolean] = "a truth value",
                                        [kJSTypeNumber] = "a number",
                                        [kJSTypeString] = "a text",
                                        [kJSTypeObject] = "an object",
                                        [kJSTypeSymbol] = "a symbol"};
    size_t type = (size_t)JSValueGetType(e->context, value);
    return type < sizeof names / sizeof *names && names[type] ? names[type] : "something else";
}

bool engine_find(struct engine *e, struct span url, struct span host, struct buf *result, struct buf *why)
{
    JSValueRef exception = NULL;
    JSStringRef strings[2] = {string_of(url), string_of(host)};
    JSValueRef args[2] = {JSValueMakeString(e->context, strings[0]),
                          JSValueMakeString(e->context, strings[1])};
    JSValueRef value = JSObjectCallAsFunction(e->context, e->find, NULL, 2, args, &exception);
    JSStringRelease(strings[0]);
    JSStringRelease(strings[1]);
    if (exception) {
        explain(e, exception, why);
        return false;
    }
    if (!JSValueIsString(e->context, value)) {
        buf_addf(why, "%s: %s returned %s instead of a text such as \"DIRECT\"", e->name, e->find_name,
                 kind_of(e, value));
        return false;
    }
    if (length_of(e, value) <= PAC_RESULT_MAX) {
        JSStringRef s = JSValueToStringCopy(e->context, value, &exception);
        if (s)
            add_string(result, s, PAC_RESULT_MAX);
        if (s)
            JSStringRelease(s);
        if (s && result->n <= PAC_RESULT_MAX)
            return true;
    }
    buf_addf(why, "%s: %s returned a text that is too long", e->name, e->find_name);
    return false;
}
