-- Who and what the invoices are about: %(clients)s clients, half as many properties, 200 items; alike at every build.
CREATE OR REPLACE FUNCTION bench_pick(n bigint, salt int, several int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT ((hashint8extended(n, salt) & 9223372036854775807) %% several)::int';

CREATE OR REPLACE FUNCTION bench_word(n bigint, salt int, words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT found[1 + bench_pick(n, salt, cardinality(found))] FROM regexp_split_to_array(words, ''\s+'') AS found';

INSERT INTO invoices_client (id, uuid, name, reference, email, address_line_1, address_line_2, city, postal_code,
    country, terms_days, no_reminders)
SELECT n, md5('client' || n)::uuid,
    bench_word(n, 1, 'Bramley Castle Dalesway Eastgate Fairhaven Greenacre Hollins Ivy Jubilee Kingsway Larkspur Millrace
        Northgate Oakfield Priory Queensway Riverside Southfield Thornton Upland Vale Westbrook Yewtree Ashdown Beacon')
    || ' ' || bench_word(n, 2, 'Apartments Bakery Brewery Care Dental Estates Foods Garages Homes Interiors Joinery
        Kitchens Lettings Management Nurseries Optics Primary Quarries Retail School Stores Timber Works Yard')
    || ' ' || bench_word(n, 3, 'Ltd Group LLP & Trust') || ' ' || n,
    'C' || n, 'accounts@client-' || n || '.example', n || ' High Street', '', bench_word(n, 4, 'Leeds York Derby Kendal
        Chester Bristol Lincoln Whitby Sheffield Harrogate'), 'LS1 4AB', 'GB', 30, false
FROM generate_series(1, %(clients)s) AS n;

INSERT INTO invoices_property (id, name, client_id, address)
SELECT n, 'Site ' || n || ', ' || bench_word(n, 5, 'Mill Fell Quay Park Harbour') || ' Road', n, n || ' Quay, Whitby'
FROM generate_series(1, %(clients)s / 2) AS n;

INSERT INTO invoices_item (id, code, description, sort, unit_price, tax_rate_id, nominal_code, uuid)
SELECT n, 'ITEM-' || lpad(n::text, 3, '0'), bench_word(n, 6, 'Annual Emergency Landlord Communal Quarterly') || ' '
    || bench_word(n, 7, 'boiler gutter lighting joinery garden window electrical drainage') || ' '
    || bench_word(n, 8, 'service inspection repair cleaning certificate') || ' ' || n,
    'SERVICE', 10.5 + n * 37 %% 390, 'STANDARD', '', md5('item' || n)::uuid
FROM generate_series(1, 200) AS n;

INSERT INTO connectors_remotelink (connection_id, kind, local_key, remote_id, remote_name, linked_at)
SELECT %(connection)s, 'CLIENT', uuid, 'customer-' || id, name, %(now)s FROM invoices_client;

INSERT INTO invoices_import (id, kind, state, file_name, digest, size, content, uploaded_at, uploaded_by_id, read_as,
    columns, rows, bad_rows, found, to_create, already_here, trouble, progress, fence, tries, confirmed_at,
    confirmed_by_id, ended_at)
SELECT n, 'INVOICES', 'DONE', 'invoices-' || n || '.csv', md5('file' || n), 4000, '', %(now)s - n * interval '1 day',
    %(staff)s, '', '[]', 40, 0, '{}', 40, 0, '', 100, 0, 0, %(now)s - n * interval '1 day', %(staff)s,
    %(now)s - n * interval '1 day'
FROM generate_series(1, 60) AS n;

-- What is frozen of each client, and of a line of each item in each quantity: put together once, as it takes long.
CREATE UNLOGGED TABLE bench_client AS
SELECT id, jsonb_build_object('uuid', uuid, 'name', name, 'reference', reference, 'email', email, 'address_line_1',
    address_line_1, 'address_line_2', '', 'city', city, 'postal_code', postal_code, 'country', 'GB') AS frozen
FROM invoices_client;

CREATE UNLOGGED TABLE bench_line AS
SELECT id AS item_id, quantity::numeric(10, 2), jsonb_build_object('description', description, 'tax_code', 'STANDARD',
    'nominal_code', '', 'quantity', quantity || '.00', 'unit_price', unit_price::text, 'discount', '0.00', 'net', net::text,
    'tax', round(net / 5, 2)::text, 'total', (net + round(net / 5, 2))::text, 'item', jsonb_build_object('uuid', uuid,
    'code', code, 'description', description, 'sort', sort, 'unit_price', unit_price::text, 'tax_code', tax_rate_id))
    AS frozen
FROM invoices_item CROSS JOIN generate_series(1, 4) AS quantity
CROSS JOIN LATERAL (SELECT quantity * unit_price AS net) AS counted;

ANALYZE bench_client, bench_line, invoices_item, invoices_client;
