# A person with messages in every state, plans, notes, documents and a journal, while a worker sends to her. Erased, she is
# found in no table of the database, no statistics and no dump; but as a hash that says what she has refused.
use strict;
use warnings;
use PostgreSQL::Test::Utils qw(slurp_file);
use Server;
use Sink;
use Test::More;
use Time::HiRes qw(sleep);

my $web    = Sink->start('http');
my $mail   = Sink->start('smtp');
my $server = Server->begin('main', 'pg_automation.journal' => 'on');
$server->install('postgres', $web);
my $url  = 'http://127.0.0.1:' . $web->port;
my $port = $mail->port;
$server->ask(<<"END");
	CREATE TABLE contact (id integer PRIMARY KEY, name text, phone text, email text, visits integer NOT NULL DEFAULT 0);
	CREATE TABLE job (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, way text, note text, contact_id integer);
	SELECT automation.attach('contact', 'contact'), automation.attach('job', 'job'), automation.link('job', 'contact', 'contact_id', 'contact');
	INSERT INTO contact VALUES (1, 'Zelda Markerova', '+12025550142', 'zelda\@marker.example'), (2, 'Bob Other', '+12025550143', 'bob\@other.example');
	SELECT automation.create_channel(c.name, 'sms', jsonb_build_object('base_url', '$url' || c.path, 'sender', '+15005550006', 'retry_delay', '24h', 'breaker_failures', '0') || c.more,
		'{"username": "AC00000000000000000000000000000000", "password": "file:token"}')
	FROM (VALUES ('delivered', '/echo/1', '{}'::jsonb), ('dead', '/status/400/echo/1', '{}'), ('retrying', '/status/503/echo/1', '{}'), ('unknown', '/cut/unanswered', '{}'),
		('slow', '/delay/4000/echo/1', '{}'), ('held', '', '{}'), ('suppressed', '', '{}'), ('expired', '', '{"expires_after": "1ms"}')) AS c(name, path, more);
	SELECT automation.pause_channel('expired'), automation.pause_channel('suppressed');
	SELECT automation.create_rule('suppressed', 'job', 'created', condition => 'new.way = ''suppressed''', activate => true, steps => ARRAY[
		automation.send_sms('suppressed', '{{ contact.phone }}', 'Buy, {{ contact.name }}', options => '{"class": "marketing"}')]);
	CREATE SERVER office FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:$port', sender 'office\@firm.example', starttls 'off', breaker_failures '0');
	SELECT automation.pause_channel('held');
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.way = %L', name), activate => true, on_bulk => 'hold', steps => ARRAY[
		automation.send_sms(name, '{{ contact.phone }}', 'Hi {{ contact.name }}')])
	FROM unnest('{delivered,dead,retrying,unknown,slow,held,expired}'::text[]) AS name;
	SELECT automation.create_rule('mail', 'job', 'created', condition => 'new.way = ''mail''', activate => true, steps => ARRAY[
		automation.send_email('office', '{{ contact.email }}', 'Dear {{ contact.name }}', 'Hello'),
		automation.send_email('office', 'gone+{{ contact.email }}', 'Dear {{ contact.name }}', 'Hello'),
		automation.send_email('office', 'reject550+{{ contact.email }}', 'Dear {{ contact.name }}', 'Hello'),
		automation.send_webhook('hook', '/echo/1', '{"about": "{{ contact.name }} {{ contact.phone }}"}', headers => '{"x-to": "{{ contact.email }}"}')]);
	SELECT automation.create_rule('inside', 'job', 'created', condition => 'new.way = ''inside''', activate => true, steps => ARRAY[
		automation.notify('boss', 'Call {{ contact.name }}'),
		automation.update_field('note', 'for {{ contact.name }} {{ contact.email }}'),
		automation.update_field('contact_id', '{{ contact.name }}'),
		automation.after('3 days', automation.send_sms('delivered', '{{ contact.phone }}', 'Still'), cancel_if_changed => '{note}'),
		automation.after('1 second', automation.notify('boss', 'Call {{ contact.name }} again'))]);
	SELECT automation.create_rule('test', 'job', 'created', condition => 'new.way = ''test''', activate => true, steps => ARRAY[
		automation.send_sms('delivered', '{{ contact.phone }}', 'Hi {{ contact.name }}')]);
	SELECT automation.set_test_mode('test', true);
	SELECT automation.create_rule('contact', 'contact', 'updated', activate => true, steps => ARRAY[automation.notify('{{ email }}', 'Now called {{ name }}')]);
	SELECT automation.create_rule('gone', 'contact', 'deleted', activate => true, steps => ARRAY[automation.notify('boss', 'Gone: {{ name }}')]);
END
$server->ask(q{SELECT automation.stop_item('contact', '1', reason => 'Ms Markerova asked for it'), automation.resume_item('contact', '1')});
$server->ask(q{SELECT automation.stop_item('contact', '1', rule => 'gone', reason => 'Ms Markerova asked for it')});
$server->ask(q{SELECT automation.set_consent('email', 'zelda@marker.example', 'marketing', 'denied', 'web form')});
$server->ask(q{SELECT automation.create_cap('few', 100, '1 day')});

$server->ask("SELECT automation.set_consent('sms', phone, 'marketing', 'granted', 'web form') FROM contact");

# All of it, for two people; then one of her messages is on its way.
my @ways = qw(delivered dead retrying unknown held expired suppressed mail inside test);
for my $person (2, 1)
{
	$server->ask("INSERT INTO job (way, contact_id) VALUES ('$_', $person)") for @ways;
	$server->ask("UPDATE contact SET visits = visits + 1 WHERE id = $person");
	$server->ask("BEGIN; SET LOCAL pg_automation.max_events_per_transaction = 1; INSERT INTO job (way, contact_id) SELECT 'delivered', $person FROM generate_series(1, 3); COMMIT");
}
$server->ask(q{SELECT automation.test_rule('delivered', (SELECT to_jsonb(max(id)) FROM job WHERE way = 'delivered'))});
$server->ask(<<'END');
	INSERT INTO automation.document (owner, entity_id, key, name, type, content, is_kept)
	SELECT current_user::regrole, e.id, '1', 'markerova.txt', 'text/plain', 'Dear Ms Markerova', true FROM automation.entity AS e WHERE e.relation = 'contact'::regclass
END
$server->ask("SELECT automation.set_consent('sms', phone, 'marketing', 'denied', 'a call') FROM contact");
$server->ask(q{SELECT automation.resume_channel('expired'), automation.resume_channel('suppressed')});
$server->poll_query_until('postgres', <<'END') or die 'not at rest: ' . $server->ask('SELECT DISTINCT channel, state, reason FROM automation.deliveries');
	SELECT count(*) FILTER (WHERE state IN ('ready', 'delivering')) = 0 AND count(*) FILTER (WHERE state = 'dead') > 4 FROM automation.deliveries
END
$server->poll_query_until('postgres', q{SELECT count(*) = 2 FROM automation.notification WHERE body LIKE '%again'}) or die 'not late';
$server->ask(q{SELECT count(*) FROM automation.recall('held')});
$server->ask(q{INSERT INTO job (way, contact_id) VALUES ('held', 1), ('held', 2)});
$server->ask(q{INSERT INTO job (way, contact_id) VALUES ('slow', 1), ('slow', 2)});
$server->poll_query_until('postgres', q{SELECT count(*) = 2 FROM automation.deliveries WHERE state = 'delivering'}) or die 'not under way';
is($server->ask('SELECT string_agg(DISTINCT state, q ORDER BY state) FROM automation.deliveries, (VALUES ($$ $$)) AS v(q)'),
	'cancelled dead delivered delivering expired held retrying simulated suppressed unknown', 'messages are in every state');

# Where somebody is found: in tables but those of the application, in what ANALYZE has sampled of them, and in a dump.
my $marker = 'marker|202\D{0,3}555\D{0,3}0142';
my $other  = 'bob.?@?other|202\D{0,3}555\D{0,3}0143';
sub found
{
	my ($pattern) = @_;
	my @found;
	for my $table (split /
/, $server->ask(q{SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'm') AND oid NOT IN ('contact'::regclass, 'job'::regclass, 'pg_authid'::regclass) ORDER BY 1}))
	{
		my $ours = $table eq 'pg_statistic' ? "AND starelid NOT IN ('contact'::regclass, 'job'::regclass)" : '';
		push @found, $table if $server->ask("SELECT EXISTS (SELECT FROM ONLY $table AS t WHERE t::text ~* '$pattern' $ours)") eq 't';
	}
	my $dump = $server->basedir . '/dump.sql';
	$server->command_ok([ 'pg_dump', '-f', $dump, '-T', 'contact', '-T', 'job', $server->connstr('postgres') ], 'a dump');
	push @found, 'dump' if slurp_file($dump) =~ /$pattern/i;
	return join ' ', map { s/^automation\.//r } @found;
}

$server->ask('ANALYZE');
my @before = split / /, found($marker);
cmp_ok(scalar @before, '>=', 10, "she is everywhere: @before");
my $bob = found($other);

$server->ask(q{SELECT automation.erase_subject('contact', '1')});
$server->ask(q{SELECT automation.erase_address('email', 'gone+zelda@marker.example'), automation.erase_address('email', 'zelda@marker.example'), automation.erase_address('sms', '+12025550142')});
# The row goes, which rules and the journal see; by its key that is erased, too.
$server->ask(q{DELETE FROM contact WHERE id = 1});
$server->ask(q{UPDATE job SET note = NULL, contact_id = NULL WHERE contact_id = 1});
$server->ask(q{SELECT automation.erase_subject('contact', '1'), automation.erase_address('email', 'zelda@marker.example'), automation.erase_address('sms', '+12025550142')});
$server->poll_query_until('postgres', q{SELECT count(*) = 0 FROM automation.deliveries WHERE state = 'delivering'}) or die 'still under way';
sleep 1;
is(found($marker), '', 'erased, she is nowhere, though an answer has come since');
is(found($other), $bob, 'the other one is where he was');
is($server->ask(q{SELECT state FROM automation.deliveries WHERE channel = 'slow' ORDER BY id LIMIT 1}), 'delivered', 'what was on its way has arrived');
# What waits for another attempt, for its channel, for somebody to release it: it ends when its time comes.
my $before = $web->received;
$server->ask(q{SELECT automation.resume_channel('held'), (SELECT count(*) FROM automation.pending_batches AS b, LATERAL automation.release_batch(b.batch) WHERE b.messages > 0)});
$server->ask(q{UPDATE automation.retry SET due_at = now()});
ok($server->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM automation.deliveries AS d JOIN automation.delivery AS m USING (id)
	WHERE m.message ? 'erased' AND d.state NOT IN ('delivered', 'cancelled', 'dead', 'unknown', 'expired', 'suppressed', 'simulated'))}), 'nothing of hers waits any more');
my @since = grep { ($_->{body} . join ' ', map { @$_ } @{ $_->{headers} }) =~ /$marker/i } (($web->received)[ $before .. $web->received - 1 ]);
is(scalar @since, 0, 'and nothing of hers has left');
is($server->ask(q{SELECT string_agg(class || ' ' || state, ', ') FROM automation.consents('email', 'Zelda@marker.example')}), 'marketing denied', 'what she has refused is known by a hash');
is($server->ask(q{SELECT string_agg(class || ' ' || state, ', ') FROM automation.consents('email', 'gone+zelda@marker.example')}), 'all denied', 'and so is a mailbox that is not there');

$server->stop;
done_testing();
