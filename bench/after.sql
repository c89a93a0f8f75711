-- Thirty bulk sends of old invoices, a large one, and one that is still being chosen from what is on the desk.
INSERT INTO invoices_bulksend (id, connection_id, chosen_by_id, chosen_at, pressed_by_id, started_at, queued_at)
SELECT n, CASE WHEN n < 32 THEN %(connection)s::uuid END, %(admin)s, %(now)s - n * interval '1 hour',
    CASE WHEN n < 32 THEN %(staff)s END, CASE WHEN n < 32 THEN %(now)s - n * interval '1 hour' END,
    CASE WHEN n < 32 THEN %(now)s - n * interval '1 hour' END
FROM generate_series(1, 32) AS n;

INSERT INTO invoices_bulkmember (send_id, invoice_id, push_id, state, reason)
SELECT CASE WHEN place <= 5000 THEN 1 ELSE 2 + place %% 30 END, id, id, 'QUEUED', ''
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM invoices_push WHERE state = 'SENT' ORDER BY id LIMIT 6500)
AS sent;

INSERT INTO invoices_bulkmember (send_id, invoice_id, state, reason)
SELECT 32, id, 'CHOSEN', '' FROM (SELECT id FROM invoices_invoice WHERE status IN ('DRAFT', 'APPROVED') ORDER BY id DESC
    LIMIT 300) AS chosen;

UPDATE incrementors_group SET next_value = coalesce((SELECT max(value) + 1 FROM incrementors_number
    WHERE group_id = key), 1), prefix = coalesce((SELECT max(prefix) FROM incrementors_number WHERE group_id = key), prefix),
    digits = CASE key WHEN 'INVOICES' THEN 7 ELSE 6 END;

DROP TABLE bench_client, bench_line;
DROP FUNCTION bench_word;
DROP FUNCTION bench_pick;
