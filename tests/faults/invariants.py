"""What must hold of warnings after any run, read by SQL and not by the code that wrote them."""

from django.db import connection

# told: the rungs that a notification of their own told of (a rung that was overtaken has recipients = 0)
CHECKS = {
    "a warning given twice": """
        SELECT task_id, step, due_at FROM tasks_overduewarning GROUP BY task_id, step, due_at HAVING count(*) > 1""",
    "a person told twice of a task and step": """
        SELECT n.key, d.recipient_id FROM notifications_delivery d
        JOIN notifications_notification n ON n.id = d.notification_id
        WHERE n.key LIKE 'warn:%%' GROUP BY n.key, d.recipient_id HAVING count(*) > 1""",
    "a warning whose recipients were not all told": """
        SELECT w.task_id, w.step, w.recipients, count(d.id) FROM tasks_overduewarning w
        LEFT JOIN notifications_notification n
            ON n.key LIKE 'warn:' || w.task_id || ':' || w.step || ':%%'
        LEFT JOIN notifications_delivery d ON d.notification_id = n.id
        GROUP BY w.task_id, w.step, w.recipients HAVING count(d.id) <> w.recipients""",
    "a notification without its warning": """
        SELECT n.key FROM notifications_notification n
        WHERE n.key LIKE 'warn:%%' AND NOT EXISTS (
            SELECT 1 FROM tasks_overduewarning w
            WHERE n.key LIKE 'warn:' || w.task_id || ':' || w.step || ':%%')""",
}
# the same with one hash join instead of a pattern per row: for thousands of tasks
KEYS = """
    SELECT n.key, count(d.id) FROM notifications_notification n
    LEFT JOIN notifications_delivery d ON d.notification_id = n.id
    WHERE n.key LIKE 'warn:%%' GROUP BY n.key"""
WARNINGS = "SELECT task_id, step, recipients FROM tasks_overduewarning"
RECORDED = "SELECT detail FROM audit_auditentry WHERE verb = 'task.warned'"


def broken() -> list[str]:
    """Every invariant that does not hold, with an example; few tasks only."""
    found = []
    with connection.cursor() as cursor:
        for name, sql in CHECKS.items():
            cursor.execute(sql, [])
            rows = cursor.fetchall()
            if rows:
                found.append(f"{name}: {len(rows)}, e.g. {rows[0]}")
    return found


def broken_in_bulk() -> list[str]:
    """The same for thousands of tasks, and that the audit trail counts as many warnings as there are."""
    import json

    found = []
    with connection.cursor() as cursor:
        cursor.execute(KEYS, [])
        told = {tuple(key.split(":")[1:3]): count for key, count in cursor.fetchall()}
        cursor.execute(WARNINGS)
        warnings = {(str(task_id), step): count for task_id, step, count in cursor.fetchall()}
        cursor.execute(RECORDED)
        details = [row[0] if isinstance(row[0], dict) else json.loads(row[0]) for row in cursor.fetchall()]
    wrong = {key: (count, told.get(key, 0)) for key, count in warnings.items() if count != told.get(key, 0)}
    if wrong:
        found.append(f"recipients and deliveries differ: {len(wrong)}, e.g. {next(iter(wrong.items()))}")
    if strays := told.keys() - warnings.keys():
        found.append(f"notifications without a warning: {len(strays)}, e.g. {next(iter(strays))}")
    recorded = sum(detail["count"] for detail in details)
    if recorded != len(warnings):
        found.append(f"the audit trail has {recorded} warnings, the table {len(warnings)}")
    return found
