-- The same rows without Reflow: a counter, invoices, their lines and an outbox, with keys and the indexes that serve them.
-- As many as there are of Reflow's: Postgres plans the check of a foreign key once, and reads a table that is small then
-- from end to end for each row ever after.
CREATE TABLE bench_counter (id int PRIMARY KEY, next bigint NOT NULL);
INSERT INTO bench_counter VALUES (1, 1);
CREATE TABLE bench_invoice (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number text NOT NULL UNIQUE,
    client_id bigint NOT NULL REFERENCES invoices_client, issue_date date NOT NULL, due_date date NOT NULL,
    net numeric(14, 2) NOT NULL, tax numeric(14, 2) NOT NULL, status text NOT NULL
);
CREATE INDEX ON bench_invoice (issue_date DESC, id DESC);
CREATE TABLE bench_line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES bench_invoice,
    position int NOT NULL, description text NOT NULL, quantity numeric(10, 2) NOT NULL,
    unit_price numeric(14, 2) NOT NULL, net numeric(14, 2) NOT NULL, tax numeric(14, 2) NOT NULL
);
CREATE INDEX ON bench_line (invoice_id);
CREATE TABLE bench_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES bench_invoice,
    state text NOT NULL, due_at timestamptz NOT NULL
);
CREATE INDEX ON bench_outbox (due_at, id) WHERE state = 'READY';
CREATE TABLE bench_keyless (LIKE bench_outbox INCLUDING ALL);
INSERT INTO bench_invoice (number, client_id, issue_date, due_date, net, tax, status)
SELECT 'A-' || id, client_id, issue_date, due_date, net, tax, status FROM invoices_invoice ORDER BY id;
INSERT INTO bench_line (invoice_id, position, description, quantity, unit_price, net, tax)
SELECT id, place, 'Job ' || id || ' of ' || place, 2, 50, 100, 20 FROM bench_invoice, generate_series(1, 5) AS place;
ANALYZE bench_invoice, bench_line, bench_outbox;
