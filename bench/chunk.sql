-- The invoices from %(first)s to %(last)s of %(count)s, the oldest first, each with five lines and all that hangs on it.
-- The newest 600 are on the desk: drafts, approved, waiting, held. Every hundredth is a credit note of the one before,
-- every twentieth was raised in Sage. Two of a hundred are the first client's.
CREATE TEMP TABLE stage ON COMMIT DROP AS
SELECT *,
    CASE
        WHEN kind = 'CREDIT_NOTE' THEN 'PAID'
        WHEN origin = 'IMPORTED' AND desk THEN 'SENT'
        WHEN desk AND die100 < 30 THEN 'DRAFT'
        WHEN desk AND die100 < 88 THEN 'APPROVED'
        WHEN desk THEN 'SENT'
        WHEN die1000 >= 980 THEN 'VOID'
        WHEN due >= %(today)s AND die1000 < 750 THEN 'SENT'
        WHEN due >= %(today)s AND die1000 < 780 THEN 'PART_PAID'
        WHEN due >= %(today)s - 90 AND due < %(today)s AND die1000 < 150 THEN 'SENT'
        WHEN due >= %(today)s - 90 AND due < %(today)s AND die1000 < 170 THEN 'PART_PAID'
        WHEN die1000 < 3 THEN 'SENT'
        WHEN die1000 < 140 AND due BETWEEN %(today)s - 200 AND %(today)s - 100 AND origin = 'OWN' THEN 'PART_PAID'
        ELSE 'PAID'
    END AS status,
    CASE
        WHEN kind = 'CREDIT_NOTE' OR origin = 'IMPORTED' OR NOT desk THEN ''
        WHEN die100 BETWEEN 25 AND 29 THEN 'ASKED'
        WHEN die100 BETWEEN 50 AND 66 THEN 'ATTENTION'
        WHEN die100 BETWEEN 67 AND 76 THEN 'PARKED'
        WHEN die100 BETWEEN 77 AND 86 THEN 'READY'
        WHEN die100 = 87 THEN 'UNKNOWN'
        ELSE ''
    END AS waits
FROM (
    SELECT n, basis, kind, origin, n > %(count)s - 600 AS desk,
        bench_pick(n, 11, 100) AS die100, bench_pick(n, 12, 1000) AS die1000,
        CASE WHEN bench_pick(basis, 13, 50) = 0 THEN 1 ELSE 1 + bench_pick(basis, 14, %(clients)s) END AS client,
        CASE WHEN bench_pick(basis, 15, 3) = 0 THEN 1 + bench_pick(basis, 16, %(clients)s / 2) END AS site,
        issued, issued + (ARRAY[30, 30, 14, 60])[1 + bench_pick(basis, 17, 4)] AS due,
        CASE
            WHEN kind = 'CREDIT_NOTE' THEN 'CN-' || lpad(((n + 50) / 100)::text, 6, '0')
            WHEN origin = 'IMPORTED' THEN 'IM-' || lpad(((n + 13) / 20)::text, 6, '0')
            ELSE 'INV-' || lpad((n - (n + 50) / 100 - (n + 13) / 20)::text, 7, '0')
        END AS number
    FROM (
        SELECT n, CASE WHEN n %% 100 = 50 THEN n - 1 ELSE n END AS basis,
            CASE WHEN n %% 100 = 50 THEN 'CREDIT_NOTE' ELSE 'INVOICE' END AS kind,
            CASE WHEN n %% 20 = 7 THEN 'IMPORTED' ELSE 'OWN' END AS origin,
            %(today)s - ((%(count)s - n) * 1826 / %(count)s)::int AS issued
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
    ) AS numbered
) AS dated;

INSERT INTO invoices_invoiceline (id, invoice_id, position, credits_id, item_id, description, quantity, unit_price,
    discount_percent, tax_rate_id, nominal_code, discount, net, tax, total)
SELECT (n - 1) * 5 + place, n, place, CASE WHEN kind = 'CREDIT_NOTE' THEN (basis - 1) * 5 + place END, item.id,
    item.description || ', job ' || (basis * 5 + place), quantity, item.unit_price, 0,
    CASE WHEN origin = 'OWN' THEN 'STANDARD' END, '', 0, quantity * item.unit_price,
    round(quantity * item.unit_price / 5, 2), quantity * item.unit_price + round(quantity * item.unit_price / 5, 2)
FROM stage CROSS JOIN generate_series(1, 5) AS place
CROSS JOIN LATERAL (SELECT 1 + bench_pick(basis * 5 + place, 21, 4) AS quantity) AS counted
JOIN invoices_item AS item ON item.id = 1 + bench_pick(basis * 5 + place, 22, 200);

INSERT INTO invoices_invoice (id, uuid, kind, credits_id, origin, number, number_prefix, status, client_id, site_id,
    issue_date, due_date, reference, notes, currency, net, tax, total, outstanding, frozen, version, created_at,
    created_by_id, asked_at, approved_at, approved_by_id)
SELECT n, md5('invoice' || n)::uuid, kind, CASE WHEN kind = 'CREDIT_NOTE' THEN basis END, origin, number,
    left(number, strpos(number, '-')), status, client, site, issued, due,
    CASE WHEN n %% 2 = 0 THEN 'PO-' || (n * 7) ELSE '' END, '', 'GBP', sign * sums.net, sign * sums.tax,
    sign * (sums.net + sums.tax),
    CASE status WHEN 'PAID' THEN 0 WHEN 'VOID' THEN 0 WHEN 'PART_PAID' THEN round((sums.net + sums.tax) / 2, 2)
        ELSE sign * (sums.net + sums.tax) END,
    CASE WHEN origin = 'OWN' AND status NOT IN ('DRAFT', 'VOID') THEN jsonb_build_object('client', client.frozen,
        'issue_date', issued, 'due_date', due, 'notes', '', 'property', coalesce(site::text, ''), 'currency', 'GBP',
        'net', sums.net::text, 'tax', sums.tax::text, 'total', (sums.net + sums.tax)::text, 'lines', sums.lines) END,
    1, made, CASE WHEN origin = 'OWN' THEN %(staff)s END, CASE WHEN waits = 'ASKED' THEN made END,
    CASE WHEN origin = 'OWN' AND status NOT IN ('DRAFT', 'VOID') THEN made + interval '1 hour' END,
    CASE WHEN origin = 'OWN' AND status NOT IN ('DRAFT', 'VOID') THEN %(admin)s END
FROM stage
CROSS JOIN LATERAL (SELECT CASE WHEN kind = 'CREDIT_NOTE' THEN -1 ELSE 1 END AS sign,
    (issued + time '09:00') AT TIME ZONE 'UTC' + n %% 400 * interval '1 minute' AS made) AS told
JOIN bench_client AS client ON client.id = stage.client
JOIN (
    SELECT invoice_id, sum(net) AS net, sum(tax) AS tax, jsonb_agg(told.frozen ORDER BY position) AS lines
    FROM invoices_invoiceline AS line JOIN bench_line AS told USING (item_id, quantity)
    WHERE invoice_id BETWEEN %(first)s AND %(last)s GROUP BY invoice_id
) AS sums ON sums.invoice_id = n;

INSERT INTO incrementors_number (group_id, value, text, prefix, suffix, holder, outcome, reason, given_at)
SELECT CASE WHEN kind = 'CREDIT_NOTE' THEN 'CREDIT_NOTES' WHEN origin = 'IMPORTED' THEN 'IMPORTED' ELSE 'INVOICES' END,
    substr(number, strpos(number, '-') + 1)::bigint, number, left(number, strpos(number, '-')), '',
    md5('invoice' || n)::uuid, CASE WHEN status = 'VOID' AND n %% 2 = 0 THEN 'DISCARDED' ELSE 'GIVEN' END,
    CASE WHEN status = 'VOID' AND n %% 2 = 0 THEN 'Raised twice.' ELSE '' END, issued + time '09:00'
FROM stage;

INSERT INTO invoices_remoteinvoice (id, invoice_id, connection_id, remote_id, number, url, total, linked_at, checked_at,
    is_draft, is_shown, status, document_id, recoded)
SELECT n, n, %(connection)s, md5('remote' || n), CASE WHEN stage.origin = 'IMPORTED' THEN 'SI-' || n ELSE stage.number END,
    'https://books.example/' || n, invoice.total, issued + time '10:00', issued + time '10:00', false, true, 'OPEN', '',
    '[]'
FROM stage JOIN invoices_invoice AS invoice ON invoice.id = n WHERE stage.status IN ('SENT', 'PART_PAID', 'PAID');

INSERT INTO invoices_push (id, invoice_id, connection_id, state, cause, cause_key, problems, held_at, parked_because,
    generation, fence, due_at, remote_id, requested_at, requested_by_id, sent_at)
SELECT n, n, %(connection)s, CASE waits WHEN '' THEN 'SENT' ELSE waits END,
    CASE waits WHEN 'ATTENTION' THEN 'REJECTED' ELSE '' END,
    CASE waits WHEN 'ATTENTION' THEN 'SUPPORT|code-' || n %% 12 || '||Sage refused it, for the reason ' || n %% 12
        ELSE '' END,
    CASE waits WHEN 'ATTENTION' THEN jsonb_build_array(jsonb_build_object('fix', 'SUPPORT', 'code', 'code-' || n %% 12,
        'field', '', 'message', 'Sage refused it, for the reason ' || n %% 12, 'meaning', 'Sage refused it.',
        'subject', '')) ELSE '[]' END,
    CASE WHEN waits IN ('ATTENTION', 'PARKED') THEN %(now)s - n %% 5000 * interval '1 minute' END,
    CASE waits WHEN 'PARKED' THEN 'The client disputes it.' ELSE '' END, 1, 1,
    CASE waits WHEN '' THEN issued + time '10:00' ELSE %(now)s + interval '1 minute' END,
    CASE WHEN waits = '' THEN n END, issued + time '10:00', %(staff)s, CASE WHEN waits = '' THEN issued + time '10:01' END
FROM stage
WHERE origin = 'OWN' AND (status IN ('SENT', 'PART_PAID', 'PAID')
    OR waits IN ('ATTENTION', 'PARKED', 'READY', 'UNKNOWN'));

INSERT INTO invoices_pushattempt (push_id, n, generation, key, position, document, started_at, may_leave_until, outcome,
    answered, http_status, request_id, message, answer, resolved_at)
SELECT stage.n, 1, 1, md5('attempt' || stage.n), 0, invoice.frozen, issued + time '10:00', issued + time '10:00',
    CASE waits WHEN '' THEN 'SENT' WHEN 'UNKNOWN' THEN '' ELSE 'REJECTED' END, waits <> 'UNKNOWN',
    CASE waits WHEN '' THEN 201 WHEN 'UNKNOWN' THEN NULL ELSE 422 END, 'request-' || stage.n, '',
    '{"id": "' || md5('remote' || stage.n) || '"}', CASE waits WHEN 'UNKNOWN' THEN NULL ELSE issued + time '10:01' END
FROM stage JOIN invoices_invoice AS invoice ON invoice.id = stage.n
JOIN invoices_push AS push ON push.id = stage.n AND push.state <> 'READY';

INSERT INTO invoices_event (invoice_id, happened_at, actor_id, text)
SELECT n, issued + time '09:00', CASE WHEN origin = 'OWN' THEN %(staff)s END,
    CASE WHEN origin = 'OWN' THEN 'Created.' ELSE 'Imported from Sage.' END FROM stage
UNION ALL SELECT n, issued + time '09:30', %(admin)s, 'Approved.' FROM stage
    WHERE origin = 'OWN' AND status NOT IN ('DRAFT', 'VOID')
UNION ALL SELECT n, issued + time '10:01', NULL, 'Sent to Sage as ' || number || '.' FROM stage
    WHERE origin = 'OWN' AND status IN ('SENT', 'PART_PAID', 'PAID')
UNION ALL SELECT n, issued + time '11:00', %(staff)s, 'Discarded: Raised twice.' FROM stage WHERE status = 'VOID';

INSERT INTO invoices_paymentseen (invoice_id, client_id, seen_at, amount)
SELECT n, client, least(due + time '09:00', %(now)s), total - outstanding FROM stage
JOIN invoices_invoice AS invoice ON invoice.id = n WHERE invoice.status IN ('PART_PAID', 'PAID');

INSERT INTO invoices_importedrow (brought_by_id, kind, key, digest, invoice_id)
SELECT 1 + n %% 60, 'INVOICES', 'OLD-' || n, md5('row' || n), n FROM stage WHERE origin = 'OWN' AND n %% 20 = 3;

INSERT INTO invoices_invoicemail (key, kind, invoice_id, "to", copy_to, subject, body, state, requested_at,
    requested_by_id, due_at, tries, handed_at, ended_at, trouble)
SELECT md5('mail' || n)::uuid, 'INVOICE', n, 'accounts@client-' || client || '.example', '', 'Invoice ' || number,
    'Please find our invoice attached.', 'SENT', issued + time '12:00', %(staff)s, issued + time '12:00', 1,
    issued + time '12:00', issued + time '12:01', ''
FROM stage WHERE origin = 'OWN' AND status IN ('SENT', 'PART_PAID', 'PAID') AND n %% 10 = 1;
