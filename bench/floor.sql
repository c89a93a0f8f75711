-- The same rows without Reflow: a counter, invoices, their lines and an outbox, with keys and the indexes that serve them.
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
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invoice_id bigint NOT NULL, state text NOT NULL,
    due_at timestamptz NOT NULL
);
CREATE INDEX ON bench_outbox (due_at, id) WHERE state = 'READY';
