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
    condition -- yes --> step1
    step2["2. update_field field = amount, value = 5"]
    step1 -->|"after 2 hours, unless status or amount changes"| step2
    if3{"new.amount #gt; 100"}
    step2 -->|"after 1 day, counted from previous, unless new.amount = 7"| if3
    step3["3. notify to boss: big"]
    if3 -- yes --> step3$$, 'a rule as a flowchart');
SELECT automation.create_rule('<b>"x"</b>', 'crm.job', 'created', condition => $$new.status <> '"<script>`#'$$, description => '</style>&', folder => '<i>',
	steps => ARRAY[automation.notify('a', E'"]\n<img src="http://evil.example/x">')], activate => true);
SELECT is(automation.rule_to_mermaid('<b>"x"</b>'), $$flowchart TD
    trigger(["created"])
    condition{"new.status #lt;#gt; '#quot;#lt;script#gt;#96;#35;'"}
    trigger --> condition
    step1["1. notify to a: #quot;]<br>#lt;img src=#quot;http://evil.example/x#quot;#gt;"]
    condition -- yes --> step1$$, 'whose labels stay labels');

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
SELECT is(pg_temp.texts('//div[@class="card"]/h3/text()'), ARRAY['&lt;b&gt;"x"&lt;/b&gt;', 'On the way', 'crm.job �&amp;', 'crm.job &lt;script&gt;alert(1)&lt;/script&gt;'],
	'rules and rows, named as they are');
SELECT is(cardinality(pg_temp.texts('//tbody/tr')), 4, 'a line for each run');
SELECT is(pg_temp.texts('//div[@class="card tile"]/b/text()'), '{2,4,1,4,0,0}', 'figures: rules, runs, failures, what waits, what was delivered and what not');
SELECT is((SELECT string_agg(t, ' | ') FROM unnest(pg_temp.texts('//div[h3[text()="On the way"]]//div[starts-with(@class, "box")]/text()')) AS t),
	'status_entered (to: Dispatched) | new.amount &gt; 10 | send_sms through tap_sms to {{ contact.phone }}: Hi {{ contact.name }} | update_field field = amount, value = 5 | notify to boss: big', 'a rule as a flow');
SELECT is((SELECT count(*) FROM unnest(pg_temp.texts('//ol/li/@class')) AS c), 8::bigint, 'and what each step has come to');
SELECT unalike((SELECT html FROM page), '%2025550199%', 'no address is in it');
SELECT unalike((SELECT html FROM page), '%Hi Ada%', 'and no message');
SELECT is(automation.report_html(0, 0) !~ 'alert', true, 'as many runs and rows as asked for');
SELECT throws_ok('SELECT automation.report_html(-1)', '22023', 'a report has at most 10000 runs and 1000 items', 'within reason');
SELECT automation.drop_rule(name) FROM automation.rules;
SELECT is(xml_is_well_formed_document(automation.report_html()), true, 'a page without rules');

SELECT * FROM finish();
ROLLBACK;
