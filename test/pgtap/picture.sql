-- rule_to_text(), rule_to_mermaid() and report_html(): what they show, and that no name gets to be markup.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text);
CREATE TABLE crm.job (id text PRIMARY KEY, status text, amount integer, contact_id integer REFERENCES crm.contact);
INSERT INTO crm.contact VALUES (1, 'Ada', '+12025550199');
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT automation.create_rule('On the way', 'crm.job', 'status_entered', '{"to": "Dispatched"}', condition => 'new.amount > 10', steps => ARRAY[
	automation.send_sms('tap_sms', '{{ contact.phone }}', 'Hi {{ contact.name }}'),
	automation.after('2 hours', automation.update_field('amount', '5'), cancel_if_changed => '{status,amount}'),
	automation.after('1 day', automation.only_if('new.amount > 100', automation.notify('boss', 'big')), options => '{"anchor": "previous", "cancel_when": "new.amount = 7"}')],
	description => 'Tells the customer', activate => true);

-- In words

SELECT is(automation.rule_to_text('On the way'), format($$Rule "On the way" on crm.job (active, version 1, acts as %s)
Tells the customer
When status_entered (to: Dispatched)
If   new.amount > 10
Then 1. send_sms through tap_sms to {{ contact.phone }}: Hi {{ contact.name }}
     2. after 2 hours, unless status or amount changes: update_field field = amount, value = 5
     3. after 1 day, counted from previous, unless new.amount = 7, if new.amount > 100: notify to boss: big$$, current_user), 'a rule in words');
SELECT throws_ok($$SELECT automation.rule_to_text('Nope')$$, '42704', 'rule "Nope" does not exist', 'there must be such a rule');

-- Mermaid

SELECT is(automation.rule_to_mermaid('On the way'), $$flowchart TD
    trigger(["status_entered (to: Dispatched)"])
    condition{"new.amount #gt; 10"}
    trigger --> condition
    step1["1. send_sms through tap_sms to {{ contact.phone }}: Hi {{ contact.name }}"]
    condition -->|"yes"| step1
    step2["2. update_field field = amount, value = 5"]
    step1 -->|"after 2 hours, unless status or amount changes"| step2
    if3{"new.amount #gt; 100"}
    step2 -->|"after 1 day, counted from previous, unless new.amount = 7"| if3
    step3["3. notify to boss: big"]
    if3 -->|"yes"| step3
    step3 --> done
    if3 -->|"no"| done
    condition -->|"no"| done
    done(["end"])$$, 'a rule as a flowchart, with both ways of what is asked');
SELECT automation.create_rule('<b>"x"</b>', 'crm.job', 'created', condition => $$new.status <> '"<script>`#'$$, description => '</style>&', folder => '<i>',
	steps => ARRAY[automation.notify('a', E'"]\n<img src="http://evil.example/x">')], activate => true);
SELECT is(automation.rule_to_mermaid('<b>"x"</b>'), $$flowchart TD
    trigger(["created"])
    condition{"new.status #lt;#gt; '#quot;#lt;script#gt;#96;#35;'"}
    trigger --> condition
    step1["1. notify to a: #quot;]<br>#lt;img src=#quot;http://evil.example/x#quot;#gt;"]
    condition -->|"yes"| step1
    condition -->|"no"| done
    done(["end"])$$, 'whose labels stay labels');

-- A rule that decides: in words, as a flowchart, as a page

SELECT automation.create_rule('Offer', 'crm.job', 'created', condition => '{"any": [{"field": "status", "operator": "in", "value": ["New", "Open"]}, {"not": true, "field": "amount", "operator": ">", "value": 5}]}', steps =>
	automation.wait_until($$new.status = 'Accepted'$$, '5 days', met => ARRAY[automation.notify('a', 'accepted')],
		timed_out => automation.branch('new.amount > 1000', ARRAY[automation.notify('a', 'call'), automation.only_if('{"field": "amount", "operator": ">", "value": 5000}', automation.notify('a', 'visit'))], decision => 'large'))
	|| automation.split('text', '{"long": 1, "none": 1, "short": 2}', '{{ contact.name }}')
	|| automation.in_arm('text', 'short', ARRAY[automation.notify('a', 'hi')])
	|| automation.in_arm('text', 'long', ARRAY[automation.only_if($$automation.took('large', 'then') OR new.amount = 1$$, automation.notify('a', 'good morning'))]));
SELECT is(automation.rule_to_text('Offer'), format($$Rule "Offer" on crm.job (draft, version 1, acts as %s)
When created
If   (status in New, Open or not amount > 5)
Then 1. at most 5 days: wait until new.status = 'Accepted'
     2.   met: when the step before is done: notify to a: accepted
     3.   timed out: when the step before is done: branch "large": new.amount > 1000
     4.     yes: when the step before is done: notify to a: call
     5.     yes: when the step before is done, if amount > 5000: notify to a: visit
     6. when the step before is done: split "text": long 1, none 1, short 2 by {{ contact.name }}
     7.   short: when the step before is done: notify to a: hi
     8.   long: when the step before is done, if "large" went "then" OR new.amount = 1: notify to a: good morning$$, current_user), 'decisions in words: what is on a way stands below it');
SELECT is(replace(automation.rule_to_mermaid('Offer'), 'when the step before is done', 'then'), $$flowchart TD
    trigger(["created"])
    condition{"(status in New, Open or not amount #gt; 5)"}
    trigger --> condition
    step1{"1. wait until new.status = 'Accepted'"}
    condition -->|"yes, at most 5 days"| step1
    step2["2. notify to a: accepted"]
    step1 -->|"met, then"| step2
    step3{"3. branch #quot;large#quot;: new.amount #gt; 1000"}
    step1 -->|"timed out, then"| step3
    step4["4. notify to a: call"]
    step3 -->|"yes, then"| step4
    if5{"amount #gt; 5000"}
    step4 -->|"then"| if5
    step5["5. notify to a: visit"]
    if5 -->|"yes"| step5
    step6{"6. split #quot;text#quot;: long 1, none 1, short 2 by {{ contact.name }}"}
    step2 -->|"then"| step6
    step5 -->|"then"| step6
    if5 -->|"no, then"| step6
    step3 -->|"no, then"| step6
    step7["7. notify to a: hi"]
    step6 -->|"short, then"| step7
    if8{"#quot;large#quot; went #quot;then#quot; OR new.amount = 1"}
    step6 -->|"long, then"| if8
    step8["8. notify to a: good morning"]
    if8 -->|"yes"| step8
    step7 --> done
    step8 --> done
    if8 -->|"no"| done
    step6 -->|"none"| done
    condition -->|"no"| done
    done(["end"])$$, 'every way of a decision leads somewhere');
-- The shape of any diagram: lines are nodes or edges, both ends of an edge are nodes, all but the first are led to, and what asks has two ways at least.
CREATE FUNCTION crm.flaws(diagram text) RETURNS text LANGUAGE sql AS $$
	WITH line AS (SELECT l FROM unnest(string_to_array(diagram, E'\n')) WITH ORDINALITY AS u(l, place) WHERE place > 1),
	node AS (SELECT (regexp_match(l, '^    (\w+)(\{|\[|\(\[)"[^"<>`]*(?:<br>[^"<>`]*)*"(?:\}|\]|\]\))$'))[1:2] AS n FROM line),
	edge AS (SELECT (regexp_match(l, '^    (\w+) -->(?:\|"[^"<>`]+"\|)? (\w+)$')) AS e FROM line)
	SELECT concat_ws(', ',
		(SELECT 'no line: ' || min(l) FROM line WHERE l !~ '^    \w+(\{|\[|\(\[)"[^"<>`]*(?:<br>[^"<>`]*)*"(\}|\]|\]\))$' AND l !~ '^    \w+ -->(\|"[^"<>`]+"\|)? \w+$'),
		(SELECT 'no node: ' || min(x) FROM edge, unnest(e) AS x WHERE x NOT IN (SELECT n[1] FROM node WHERE n IS NOT NULL)),
		(SELECT 'not led to: ' || min(n[1]) FROM node WHERE n[1] <> 'trigger' AND n[1] NOT IN (SELECT e[2] FROM edge WHERE e IS NOT NULL)),
		(SELECT 'one way: ' || min(n[1]) FROM node WHERE n[2] = '{' AND (SELECT count(*) FROM edge WHERE e[1] = n[1]) < 2))
$$;
SELECT is(crm.flaws(automation.rule_to_mermaid(name)), '', format('the diagram of "%s" is well formed', name)) FROM automation.rules;
SELECT is((SELECT string_agg(concat_ws(' ', w.event, CASE w.event WHEN 'step' THEN w.place::text ELSE w.way END), ', ') FROM automation._walk(v2.steps) AS w), walk, what)
FROM (VALUES
	('a decision that nobody asks for', ARRAY[automation.split('x', '{"a": 1, "b": 1}'), automation.notify('a', 'b')], 'step 1, open a, close a, open b, close b, step 2'),
	('a way that is taken up again', ARRAY[automation.split('x', '{"a": 1, "b": 1}')] || automation.in_arm('x', 'a', ARRAY[automation.notify('a', 'b')]) || automation.notify('a', 'b')
		|| automation.in_arm('x', 'a', ARRAY[automation.notify('a', 'b')]), 'step 1, open a, step 2, close a, open b, close b, step 3, step 4'),
	('ways within ways', automation.branch('true', automation.branch('false', ARRAY[automation.notify('a', 'b')], ARRAY[automation.notify('a', 'b')], 'it''s in \ it'), decision => 'out'),
		'step 1, open then, step 2, open then, step 3, close then, open else, step 4, close else, close then, open else, close else')) AS v(what, list, walk),
	LATERAL (SELECT jsonb_agg(jsonb_build_object('action', s.action, 'params', s.params, 'timing', s.timing, 'condition', s.condition) ORDER BY s.place)
		FROM unnest(v.list) WITH ORDINALITY AS s(action, params, timing, condition, place)) AS v2(steps);

-- The page

INSERT INTO crm.job VALUES ('<script>alert(1)</script>', 'New', 50, 1), (E'\x01&', 'New', 50, NULL);
UPDATE crm.job SET status = 'Dispatched';
CREATE TEMP TABLE page AS SELECT automation.report_html() AS html;
SELECT is((SELECT xml_is_well_formed_document(html) FROM page), true, 'the page parses');
SELECT unalike((SELECT html FROM page), forbidden, format('nothing like %s is in it', forbidden))
FROM unnest(ARRAY['%<script%', '%<img%', '%<b>"%', '%<i>%', '%url(%', '%@import%', '%<link%', '%<iframe%', '%onload=%', '%xmlns%']) AS forbidden;
CREATE FUNCTION pg_temp.texts(path text) RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(x::text) FROM page, unnest(xpath(path, xmlparse(DOCUMENT regexp_replace(html, '<!DOCTYPE html>', '')))) AS x
$$;
SELECT is(pg_temp.texts('//@src|//@href|//@*[starts-with(name(), "on")]|//script|//link|//img|//iframe|//object|//form|//base'), NULL, 'nothing comes from elsewhere, and nothing runs');
SELECT is(pg_temp.texts('//h2/text()'), '{"Runs per day",Rules,"Last runs",Rows}', 'its parts');
SELECT is(pg_temp.texts('//div[@class="card"]/h3/text()'), ARRAY['&lt;b&gt;"x"&lt;/b&gt;', 'On the way', 'Offer', 'crm.job �&amp;', 'crm.job &lt;script&gt;alert(1)&lt;/script&gt;'],
	'rules and rows, named as they are');
SELECT is(cardinality(pg_temp.texts('//tbody/tr')), 4, 'a line for each run');
SELECT is(pg_temp.texts('//div[@class="card tile"]/b/text()'), '{2,4,1,4,0,0}', 'figures: rules, runs, failures, what waits, what was delivered and what not');
SELECT is((SELECT string_agg(t, ' | ') FROM unnest(pg_temp.texts('//div[h3[text()="On the way"]]//div[starts-with(@class, "box")]/text()')) AS t),
	'status_entered (to: Dispatched) | new.amount &gt; 10 | send_sms through tap_sms to {{ contact.phone }}: Hi {{ contact.name }} | update_field field = amount, value = 5 | notify to boss: big', 'a rule as a flow');
SELECT is((SELECT string_agg(t, ' | ') FROM unnest(pg_temp.texts('//div[h3[text()="Offer"]]//div[@class="way"]/b/text()')) AS t), 'met | timed out | yes | no | short | long | none', 'with every way of its decisions');
SELECT is((SELECT string_agg(t, ' | ') FROM unnest(pg_temp.texts('//div[h3[text()="Offer"]]//div[@class="way"][b/text()="timed out"]/div[@class="way"]/b/text()')) AS t), 'yes | no', 'one within the other');
SELECT unalike((SELECT html FROM page), '%automation.took%', 'and in plain words');
SELECT is((SELECT count(*) FROM unnest(pg_temp.texts('//ol/li/@class')) AS c), 8::bigint, 'and what each step has come to');
SELECT unalike((SELECT html FROM page), '%2025550199%', 'no address is in it');
SELECT unalike((SELECT html FROM page), '%Hi Ada%', 'and no message');
SELECT is(automation.report_html(0, 0) !~ 'alert', true, 'as many runs and rows as asked for');
SELECT throws_ok('SELECT automation.report_html(-1)', '22023', 'a report has at most 10000 runs and 1000 items', 'within reason');
SELECT automation.drop_rule(name) FROM automation.rules;
SELECT is(xml_is_well_formed_document(automation.report_html()), true, 'a page without rules');

SELECT * FROM finish();
ROLLBACK;
