/*
 * Only what differs is said on the bus: as long as the rows are of the same kinds, their words and marks are changed in place, so that a menu which is open
 * stays as it is under the pointer.
 */
#include "menu.h"

#include <libdbusmenu-glib/dbusmenu-glib.h>
#include <stdlib.h>

struct menu {
    DbusmenuServer *server;
    DbusmenuMenuitem *root;
    struct model_rows rows; /* as shown; their `upstream` is not used */
    const struct menu_events *events;
    void *owner;
};

static void chosen(DbusmenuMenuitem *item, guint timestamp, gpointer data)
{
    struct menu *m = data;
    (void)timestamp;
    enum model_action action = GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(item), "action"));
    char *upstream = g_strdup(g_object_get_data(G_OBJECT(item), "upstream"));
    m->events->chosen(m->owner, action, upstream);
    g_free(upstream);
}

static void about_to_show(DbusmenuMenuitem *item, gpointer data)
{
    struct menu *m = data;
    (void)item;
    m->events->about_to_show(m->owner);
}

/* A label's "_" would underline the letter behind it. */
static void set_label(DbusmenuMenuitem *item, struct buf *label)
{
    GString *text = g_string_new(buf_cstr(label));
    g_string_replace(text, "_", "__", 0);
    if (!g_utf8_validate(text->str, -1, NULL))
        g_string_assign(text, "?");
    if (g_strcmp0(dbusmenu_menuitem_property_get(item, DBUSMENU_MENUITEM_PROP_LABEL), text->str) != 0)
        dbusmenu_menuitem_property_set(item, DBUSMENU_MENUITEM_PROP_LABEL, text->str);
    g_string_free(text, TRUE);
}

static void set_row(DbusmenuMenuitem *item, struct model_row *row)
{
    if (row->action == ACTION_SEPARATOR)
        return;
    set_label(item, &row->label);
    g_object_set_data_full(G_OBJECT(item), "upstream", g_strdup(row->upstream), g_free);
    if (row->checkable)
        dbusmenu_menuitem_property_set_int(item, DBUSMENU_MENUITEM_PROP_TOGGLE_STATE,
                                           row->checked ? DBUSMENU_MENUITEM_TOGGLE_STATE_CHECKED
                                                        : DBUSMENU_MENUITEM_TOGGLE_STATE_UNCHECKED);
}

static void add_row(struct menu *m, struct model_row *row)
{
    DbusmenuMenuitem *item = dbusmenu_menuitem_new();
    if (row->action == ACTION_SEPARATOR)
        dbusmenu_menuitem_property_set(item, DBUSMENU_MENUITEM_PROP_TYPE, DBUSMENU_CLIENT_TYPES_SEPARATOR);
    if (row->action == ACTION_NONE)
        dbusmenu_menuitem_property_set_bool(item, DBUSMENU_MENUITEM_PROP_ENABLED, FALSE);
    if (row->checkable)
        dbusmenu_menuitem_property_set(item, DBUSMENU_MENUITEM_PROP_TOGGLE_TYPE,
                                       DBUSMENU_MENUITEM_TOGGLE_CHECK);
    g_object_set_data(G_OBJECT(item), "action", GUINT_TO_POINTER(row->action));
    if (row->action != ACTION_NONE && row->action != ACTION_SEPARATOR)
        g_signal_connect(item, DBUSMENU_MENUITEM_SIGNAL_ITEM_ACTIVATED, G_CALLBACK(chosen), m);
    set_row(item, row);
    dbusmenu_menuitem_child_append(m->root, item);
    g_object_unref(item);
}

static void build_anew(struct menu *m, struct model_rows *rows)
{
    GList *old = dbusmenu_menuitem_take_children(m->root);
    g_list_free_full(old, g_object_unref);
    for (size_t i = 0; i < rows->n; i++)
        add_row(m, &rows->rows[i]);
}

void menu_set(struct menu *m, const struct model *model)
{
    struct model_rows rows;
    model_rows(model, &rows);
    if (model_rows_alike(&rows, &m->rows)) {
        GList *item = dbusmenu_menuitem_get_children(m->root);
        for (size_t i = 0; i < rows.n && item; i++, item = item->next)
            set_row(item->data, &rows.rows[i]);
    } else {
        build_anew(m, &rows);
    }
    model_rows_free(&m->rows);
    m->rows = rows;
}

struct menu *menu_new(const struct menu_events *events, void *owner)
{
    struct menu *m = mem_zero(sizeof *m);
    m->events = events;
    m->owner = owner;
    m->root = dbusmenu_menuitem_new();
    m->server = dbusmenu_server_new(MENU_PATH);
    g_signal_connect(m->root, DBUSMENU_MENUITEM_SIGNAL_ABOUT_TO_SHOW, G_CALLBACK(about_to_show), m);
    dbusmenu_server_set_root(m->server, m->root);
    return m;
}

void menu_free(struct menu *m)
{
    model_rows_free(&m->rows);
    g_object_unref(m->server);
    g_object_unref(m->root);
    free(m);
}
