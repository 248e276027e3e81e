-- What a platform keeps in PostgreSQL 15 or newer. Run again, it changes nothing.
--
-- A record's number is taken once: (device, seq, month) is the key, and a boot, with all its numbers, belongs to the
-- month in which something of it first arrived. Old months are dropped as whole partitions.

CREATE TABLE IF NOT EXISTS platform (epoch text NOT NULL);

CREATE TABLE IF NOT EXISTS devices (
    device bytea PRIMARY KEY,             -- the device's id, from its first key
    public bytea,                         -- that key
    settled int8multirange NOT NULL,      -- numbers that are stored, or that a gap record says are gone
    is_told boolean NOT NULL DEFAULT false,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS devices_untold ON devices (device) WHERE NOT is_told;

CREATE TABLE IF NOT EXISTS terminals (    -- the id in topics, and the device behind it
    terminal text PRIMARY KEY, device bytea NOT NULL);
CREATE INDEX IF NOT EXISTS terminals_device ON terminals (device);

CREATE TABLE IF NOT EXISTS links (device bytea, raw bytea);
ALTER TABLE links DROP CONSTRAINT IF EXISTS links_pkey;     -- of older ones: a long record fits no index
CREATE UNIQUE INDEX IF NOT EXISTS links_once ON links (device, sha256(raw));

CREATE TABLE IF NOT EXISTS boots (device bytea, boot int8, month date NOT NULL, PRIMARY KEY (device, boot));

CREATE TABLE IF NOT EXISTS records (
    device bytea NOT NULL,
    seq int8 NOT NULL,
    month date NOT NULL,
    kind text NOT NULL,
    boot int8 NOT NULL,
    t_us int8 NOT NULL,                   -- when it was numbered, on the clock of its boot
    about int8,                           -- the trip of samples, events and trip ends; the event of evidence
    prev bytea NOT NULL,
    hash bytea NOT NULL,
    raw bytea NOT NULL,                   -- the exact bytes: chain and signatures run over these
    PRIMARY KEY (device, seq, month)) PARTITION BY LIST (month);
CREATE INDEX IF NOT EXISTS records_about ON records (device, about) WHERE about IS NOT NULL;

CREATE OR REPLACE VIEW samples AS
    SELECT device, about AS trip, seq, boot, t_us, raw FROM records WHERE kind = 'samples';
CREATE OR REPLACE VIEW evidence AS
    SELECT device, about AS event, seq, boot, t_us, raw FROM records WHERE kind = 'evidence';

CREATE TABLE IF NOT EXISTS clocks (
    device bytea, boot int8, boot_us int8, utc_us int8 NOT NULL, u_us int8, PRIMARY KEY (device, boot, boot_us));

CREATE TABLE IF NOT EXISTS trips (
    device bytea,
    trip int8,                            -- number of its trip_start
    boot int8 NOT NULL,
    start_us int8,
    end_us int8,                          -- null: it is still open, or its end has not come
    end_reason text,
    distance_m float8,
    score float8,
    summary jsonb,                        -- the body of its trip_end
    PRIMARY KEY (device, trip));

CREATE TABLE IF NOT EXISTS events (
    device bytea,
    seq int8,
    boot int8 NOT NULL,
    kind text NOT NULL,
    trip int8,
    start_us int8,
    end_us int8,
    severity text,
    lat_deg float8,
    lon_deg float8,
    body jsonb NOT NULL,
    PRIMARY KEY (device, seq));
CREATE INDEX IF NOT EXISTS events_trip ON events (device, trip);

CREATE TABLE IF NOT EXISTS gaps (
    device bytea, first int8, last int8 NOT NULL, kind text NOT NULL, reason text NOT NULL,
    PRIMARY KEY (device, first, last));

CREATE TABLE IF NOT EXISTS dead_letters (
    terminal text, digest bytea, lane text NOT NULL, reason text NOT NULL, payload bytea NOT NULL,
    times int8 NOT NULL DEFAULT 1, first_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (terminal, digest));

-- UTC of a moment of a boot, by the nearest thing its terminal said of the time; null: it never said any, or nonsense.
CREATE OR REPLACE FUNCTION utc_of(of_device bytea, of_boot int8, of_us int8) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN utc_s BETWEEN 0 AND 253370764800 THEN to_timestamp(utc_s) END FROM (
        SELECT (utc_us::numeric + of_us - boot_us) / 1e6 AS utc_s FROM clocks
        WHERE device = of_device AND boot = of_boot AND u_us IS NOT NULL
        ORDER BY abs(of_us::numeric - boot_us) LIMIT 1) AS nearest
$$;
