-- Wall clocks, held against PostgreSQL's AT TIME ZONE at every change of the clocks in the next ten years.
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL jit = off;

CREATE TEMPORARY TABLE zone AS SELECT unnest('{
	Africa/Cairo,Africa/Casablanca,Africa/Ceuta,Africa/El_Aaiun,Africa/Lagos,Africa/Nairobi,
	America/Anchorage,America/Asuncion,America/Chicago,America/Denver,America/Halifax,America/Havana,America/Los_Angeles,
	America/Miquelon,America/New_York,America/Nuuk,America/Phoenix,America/Port-au-Prince,America/Santiago,America/Sao_Paulo,
	America/Scoresbysund,America/St_Johns,America/Thule,America/Tijuana,America/Winnipeg,
	Antarctica/Troll,Antarctica/McMurdo,Asia/Beirut,Asia/Famagusta,Asia/Gaza,Asia/Hebron,Asia/Jerusalem,Asia/Kathmandu,Asia/Kolkata,
	Asia/Nicosia,Asia/Shanghai,Asia/Tokyo,Atlantic/Azores,Atlantic/Bermuda,Atlantic/Canary,Atlantic/Faroe,Atlantic/Madeira,
	Australia/Adelaide,Australia/Brisbane,Australia/Hobart,Australia/Lord_Howe,Australia/Sydney,
	Europe/Athens,Europe/Berlin,Europe/Chisinau,Europe/Dublin,Europe/Helsinki,Europe/Istanbul,Europe/Kyiv,Europe/Lisbon,Europe/London,
	Europe/Moscow,Europe/Paris,Europe/Warsaw,Pacific/Apia,Pacific/Auckland,Pacific/Chatham,Pacific/Easter,Pacific/Honolulu,
	Pacific/Kiritimati,Pacific/Norfolk,EST5EDT,Etc/GMT-14,UTC}'::text[]) AS name;

-- The oracle: PostgreSQL's own conversion, from instant to wall clock. From there to the other side, an
-- instant is any that shows it.
CREATE FUNCTION pg_temp.utc_offset(instant timestamptz, zone text) RETURNS interval LANGUAGE sql IMMUTABLE
RETURN (instant AT TIME ZONE zone) - (instant AT TIME ZONE 'UTC');

CREATE FUNCTION pg_temp.moment_of_change(low timestamptz, high timestamptz, zone text) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
	before CONSTANT interval := pg_temp.utc_offset(low, zone);
	middle timestamptz;
BEGIN
	WHILE high - low > '1 s' LOOP
		middle := date_trunc('second', low + (high - low) / 2);
		IF pg_temp.utc_offset(middle, zone) = before THEN low := middle; ELSE high := middle; END IF;
	END LOOP;
	RETURN high;
END
$$;

CREATE TEMPORARY TABLE change AS
SELECT z.name AS zone, m.moment, pg_temp.utc_offset(d.day, z.name) AS before, pg_temp.utc_offset(m.moment, z.name) AS after
FROM zone AS z,
	generate_series(date_trunc('day', now()), now() + '10 years', '1 day') AS d(day),
	LATERAL (SELECT pg_temp.moment_of_change(d.day, d.day + '1 day', z.name)) AS m(moment)
WHERE pg_temp.utc_offset(d.day, z.name) <> pg_temp.utc_offset(d.day + '1 day', z.name);
SELECT cmp_ok((SELECT count(DISTINCT zone) FROM change), '>=', 40::bigint, 'at least 40 zones change their clocks');
SELECT cmp_ok((SELECT count(*) FROM change), '>=', 800::bigint, 'at least 800 times');
SELECT cmp_ok((SELECT count(*) FROM change WHERE after > before), '>=', 400::bigint, 'half of them forwards');

-- From a wall clock to an instant: every five minutes for six hours around each change.

CREATE TEMPORARY TABLE asked AS
SELECT c.*, w.wall, automation._local_instant(w.wall, c.zone) AS due,
	(SELECT min(i) FROM (VALUES (w.wall - c.before), (w.wall - c.after)) AS v(utc), LATERAL (SELECT v.utc AT TIME ZONE 'UTC') AS t(i)
	WHERE t.i AT TIME ZONE c.zone = w.wall) AS first
FROM change AS c,
	generate_series(c.moment AT TIME ZONE c.zone - '3 hours'::interval, c.moment AT TIME ZONE c.zone + '3 hours'::interval, '5 minutes') AS w(wall);
ANALYZE asked;

CREATE FUNCTION pg_temp.none(violations text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	example text;
	number bigint;
BEGIN
	EXECUTE format('SELECT count(*), min(v::text) FROM (%s) AS v', violations) INTO number, example;
	RETURN ok(number = 0, name) || CASE WHEN number = 0 THEN '' ELSE E'\n' || diag(format('%s violations, such as %s', number, example)) END;
END
$$;
SELECT cmp_ok((SELECT count(*) FROM asked WHERE first IS NULL), '>=', 400::bigint, 'wall clocks that no instant shows were asked for');
SELECT pg_temp.none('SELECT * FROM asked WHERE first IS NOT NULL AND due <> first', 'what the clocks show is the first instant that shows it');
SELECT pg_temp.none('SELECT * FROM asked WHERE first IS NULL AND due <> moment', 'what they jump over is the moment of the jump');
SELECT pg_temp.none('SELECT * FROM asked WHERE due AT TIME ZONE zone < wall', 'no clock shows less than what was asked for');
SELECT pg_temp.none('SELECT * FROM (SELECT *, lag(due) OVER (PARTITION BY zone, moment ORDER BY wall) AS previous FROM asked) AS a WHERE due < previous',
	'a later wall clock is no earlier instant');

-- Days are days of the clocks.

CREATE TEMPORARY TABLE added AS
SELECT c.zone, c.moment, s.start, d.delay, s.start AT TIME ZONE c.zone + d.delay AS wall, automation._add(s.start, d.delay, c.zone) AS due
FROM change AS c, unnest('{-1 month,-1 day,1 day,3 days,1 month,1 year}'::interval[]) AS d(delay),
	generate_series(-6, 6) AS n, LATERAL (SELECT c.moment - d.delay + n * '30 min'::interval) AS s(start);
SELECT pg_temp.none('SELECT * FROM added WHERE due <> automation._local_instant(wall, zone)', 'days and months are added to what the clocks show');
SELECT pg_temp.none('SELECT * FROM added WHERE due AT TIME ZONE zone <> wall AND (due - ''1 us''::interval) AT TIME ZONE zone >= wall',
	'a later time than asked for only where the clocks jump over it');
SELECT pg_temp.none($$SELECT c.zone, h FROM change AS c, unnest('{1 h,25 h,-36 h}'::interval[]) AS h
	WHERE automation._add(c.moment - h / 2, h, c.zone) <> c.moment - h / 2 + h$$, 'hours pass');

-- Schedules: once a day, at the hour that was asked for.

CREATE TEMPORARY TABLE clock AS
SELECT DISTINCT c.zone, c.moment, c.before, c.after, t.clock
FROM change AS c, unnest('{-65,-35,-5,0,25,55}'::integer[]) AS n,
	LATERAL (SELECT (c.moment AT TIME ZONE c.zone + n * '1 min'::interval)::time) AS t(clock)
UNION
SELECT c.zone, c.moment, c.before, c.after, '02:30' FROM change AS c;

CREATE TEMPORARY TABLE fired AS
WITH RECURSIVE fired AS (
	SELECT k.*, k.moment - '3 days'::interval AS due, 0 AS number FROM clock AS k
	UNION ALL
	SELECT f.zone, f.moment, f.before, f.after, f.clock,
		automation._cron_next(format('%s %s * * *', extract(minute FROM f.clock), extract(hour FROM f.clock)), f.due, f.zone), f.number + 1
	FROM fired AS f WHERE f.number < 6
)
SELECT *, (due AT TIME ZONE zone)::time AS shown, lag(due) OVER (PARTITION BY zone, moment, clock ORDER BY number) AS previous FROM fired;
ANALYZE fired;
SELECT pg_temp.none('SELECT * FROM fired WHERE due <= previous', 'a schedule moves on');
SELECT pg_temp.none($$SELECT * FROM fired WHERE number > 0 AND shown <> date_trunc('minute', clock::interval)::time AND due <> moment$$,
	'it is due when the clocks show it, or at the jump');
SELECT pg_temp.none($$SELECT * FROM fired WHERE number > 1 AND (due - '1 us'::interval) AT TIME ZONE zone
		> previous AT TIME ZONE zone + '1 day'::interval + greatest(before - after, '0')$$,
	'it leaves out no day');
-- The jump comes after what it leaves out, at times past midnight.
SELECT pg_temp.none($$SELECT zone, moment, clock, (due AT TIME ZONE zone)::date - (clock > shown)::integer FROM fired
	WHERE number > 0 GROUP BY 1, 2, 3, 4 HAVING count(*) > 1$$, 'and is due once a day');

CREATE TEMPORARY TABLE planned AS
SELECT k.zone, k.moment, k.clock, s.start,
	automation._schedule(s.start, '0', jsonb_build_object('workdays', 0, 'backward', false, 'day_itself', false,
		'time_of_day', extract(epoch FROM date_trunc('minute', k.clock::interval))::integer, 'week', '{[0,604800)}'), k.zone) AS due
FROM clock AS k, generate_series(-30, 30, 6) AS n, LATERAL (SELECT k.moment + n * '1 hour'::interval) AS s(start);
ANALYZE planned;
SELECT pg_temp.none('SELECT * FROM planned WHERE due < start', 'a time of day is never earlier than the delay leads to');
SELECT pg_temp.none($$SELECT * FROM planned WHERE (due AT TIME ZONE zone)::time <> date_trunc('minute', clock::interval)::time AND due <> moment$$,
	'it is what the clocks show, or the jump');
SELECT pg_temp.none($$SELECT * FROM planned WHERE due AT TIME ZONE zone > (start AT TIME ZONE zone)::date + '2 days'::interval$$, 'on the same day or the next');

-- Hours: whatever the clocks do, what is due is due within them.

CREATE TEMPORARY TABLE windowed AS
WITH hours AS MATERIALIZED (
	SELECT k.zone, k.moment, k.clock AS opens, h.closes, jsonb_build_object('workdays', 0, 'backward', false, 'day_itself', false,
		'time_of_day', NULL, 'week', automation._week(automation._weekday_names(),
			automation._hours('window', jsonb_build_object('from', k.clock, 'to', h.closes)))) AS plan
	FROM clock AS k, LATERAL (SELECT (k.clock::interval + '2 hours')::time) AS h(closes)
)
SELECT h.zone, h.moment, h.opens, h.closes, s.start, automation._schedule(s.start, '0', h.plan, h.zone) AS due
FROM hours AS h, generate_series(-30, 30, 10) AS n, LATERAL (SELECT h.moment + n * '1 hour'::interval) AS s(start);
ANALYZE windowed;
SELECT pg_temp.none('SELECT * FROM windowed WHERE due < start', 'hours only ever move on');
SELECT pg_temp.none($$SELECT * FROM windowed, LATERAL (SELECT (due AT TIME ZONE zone)::time) AS t(shown)
	WHERE NOT CASE WHEN opens < closes THEN shown >= opens AND shown < closes ELSE shown >= opens OR shown < closes END$$,
	'and what is due is within them');
SELECT pg_temp.none($$SELECT * FROM windowed, LATERAL (SELECT (start AT TIME ZONE zone)::time) AS t(shown)
	WHERE due <> start AND CASE WHEN opens < closes THEN shown >= opens AND shown < closes ELSE shown >= opens OR shown < closes END$$,
	'at once when that is');

-- Recurrence

SELECT pg_temp.none($$SELECT c.zone, c.moment, n FROM change AS c, generate_series(1, 4) AS n, unnest('{1 day,1 week,1 month}'::interval[]) AS every,
		LATERAL (SELECT automation._add(c.moment, -2 * every, c.zone), automation._add(c.moment, -2 * every, c.zone) AT TIME ZONE c.zone) AS s(start, wall)
	WHERE automation._recur_next(start, every, automation._local_instant(wall + (n - 1) * every, c.zone), c.zone)
		<> automation._local_instant(wall + n * every, c.zone)$$, 'what recurs does so by the clocks');

-- What the clocks have done in the past

SELECT is(automation._local_instant('2011-12-30 12:00', 'Pacific/Apia'), '2011-12-31 00:00+14', 'Samoa left out a day');
SELECT is(automation._add('2011-12-29 12:00-10', '1 day', 'Pacific/Apia'), '2011-12-31 00:00+14', 'and a day after the day before is the day after');
SELECT is(automation._local_instant('2010-11-06 23:30', 'America/St_Johns'), '2010-11-06 23:30-02:30', 'clocks went back over midnight');
SELECT is(automation._local_instant('2010-11-07 00:00:30', 'America/St_Johns'), '2010-11-07 00:00:30-02:30', 'and a minute of the next day came before');
SELECT is((SELECT array_agg(automation._cron_next('0 12 * * *', t, 'Pacific/Apia') ORDER BY t) FROM unnest('{2011-12-29 12:00-10,2011-12-31 00:00+14}'::timestamptz[]) AS t),
	'{2011-12-31 00:00+14,2011-12-31 12:00+14}', 'a daily schedule comes at the jump, then at its hour');

SELECT * FROM finish();
ROLLBACK;
