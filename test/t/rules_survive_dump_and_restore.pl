# A dump carries what users defined - tables' roles, links, rules with their history, channels, what was
# compiled - and what is planned, and nothing of what happened. Restored, in whatever way, it fires nothing, does
# and sends nothing before somebody adopts it, and works.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
my $folder = $ENV{TESTDIR};

sub in_database { return $server->safe_psql(@_) }

sub run_program
{
	my ($name, @command) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$server->command_ok(\@command, $name);
	return;
}

# What pg_dump writes about a database, but for the key that each dump invents and the database's homes.
sub dump_of
{
	my ($database) = @_;
	my $file = "$folder/$database.sql";
	system_or_bail('pg_dump', '-f', $file, $server->connstr($database));
	return slurp_file($file) =~ s/^\\(un)?restrict .*\n//gmr =~ s/^(COPY automation\.home .*?\n).*?^\\\.\n/$1/msr;
}

# A database for a dump to go into. The wrapper says where messages may go: its options are no part of a dump.
sub prepare
{
	my ($database) = @_;
	$server->ask("CREATE DATABASE $database");
	in_database($database, <<'END');
		CREATE EXTENSION pg_automation;
		ALTER FOREIGN DATA WRAPPER pg_automation
			OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.0/8');
END
	return;
}

# A job goes its way, and a message tells of it, once the database is adopted.
sub works
{
	my ($database, $when, $pending) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(in_database($database, <<'END'), "0|0|0", "$when: nothing has fired");
		SELECT (SELECT count(*) FROM automation.run WHERE status <> 'waiting'), (SELECT count(*) FROM automation.delivery), (SELECT count(*) FROM automation.notification)
END
	is(in_database($database, "SELECT installed FROM automation.playbooks WHERE key = 'field_filled_advance'"),
		'{"Go on when it is filled in"}', 'it is known which playbook a rule is of');
	my $before = $web->received;
	my $job    = 7;
	in_database($database, "INSERT INTO crm.job VALUES (7, 'New', NULL, 1, 'leak'); UPDATE crm.job SET status = 'Go' WHERE id = 7");
	is(in_database($database, "SELECT owner FROM crm.job WHERE id = 7"), 'bob', 'the round robin goes on');
	is(in_database($database, "SELECT state FROM automation.deliveries"), 'held', 'what a rule sends is held');
	like(in_database($database, "SELECT detail FROM automation.check() WHERE NOT ok AND \"check\" = 'home'"),
		qr/^It comes from database "crm" with OID \d+ in cluster \d+; this is "$database" in cluster \d+\.$/, 'check() says why');
	my $waiting = q{SELECT string_agg(key || ' ' || status || coalesce(' ' || reason, ''), ', ' ORDER BY key) FROM automation.step_log WHERE rule = 'Follow up'};
	is(in_database($database, $waiting), '3 waiting, 4 waiting', 'what was planned is still planned');
	is(in_database($database, 'SELECT string_agg(key, $$ $$) FROM automation.hold'), '4', 'what was stopped is stopped');
	is(in_database($database, 'SELECT automation.tick()'), 0, 'nothing is done');
	in_database($database, "SELECT automation.adopt('$pending')");
	in_database($database, "UPDATE crm.job SET status = 'Done' WHERE id = 3; SELECT automation.tick()");
	$server->poll_query_until($database, q{SELECT status <> 'waiting' FROM automation.step_log WHERE rule = 'Follow up' AND key = '3'}); # the worker may be at it
	like(in_database($database, $waiting), $pending eq 'discard'
		? qr/^3 cancelled discarded when the database was adopted, 4 cancelled discarded when the database was adopted$/
		: qr/^3 cancelled field status changed Later→Done at .*, 4 waiting$/, 'until then; and a change cancels it as ever');
	if ($pending eq 'discard')
	{
		$job = 8;
		in_database($database, "INSERT INTO crm.job VALUES (8, 'New', NULL, 1, 'leak'); UPDATE crm.job SET status = 'Go' WHERE id = 8");
	}
	my @received = $web->wait_for($before + 1);
	is_deeply($received[-1]{json}, { job => $job, customer => 'Ada', what => 'leak' }, 'adopted, it sends');
	is(in_database($database, "SELECT outcome, reason FROM automation.attempts ORDER BY delivery_id LIMIT 1"),
		'cancelled|discarded when the database was adopted', 'but not what was discarded') if $pending eq 'discard';
	is(in_database($database, "SELECT string_agg(concat_ws(' ', \"check\", detail), ', ') FROM automation.check() WHERE NOT ok AND \"check\" <> 'pg_cron'"),
		'', 'nothing is amiss');
	in_database($database, <<'END');
		SELECT automation.attach('crm.contact');
		SELECT automation.create_rule('one more', 'crm.contact', 'created', activate => true, steps => ARRAY[automation.notify('log', '{{ name }}')]);
		INSERT INTO crm.contact VALUES (3, 'Eve', 'gold');
END
	is(in_database($database, "SELECT body FROM automation.notification ORDER BY id DESC LIMIT 1"), 'Eve', 'and more can be made');
	in_database($database, "SELECT automation.alter_template('text', 'Job no. {{ id }}'); UPDATE crm.job SET status = 'Shared' WHERE id IN (1, 2)");
	is(in_database($database, "SELECT string_agg(body, ', ') FROM automation.notification WHERE body ~ '^Job'"), 'Job no. 1', 'what rules share is there, and theirs');
	is(in_database($database, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM crm.job AS j WHERE automation.matches('gold', j) AND id < 4"), '1 3', 'filters answer');
	is(in_database($database, "SELECT string_agg(path, ' ') FROM automation.folders"), 'Default Sales Sales/Who sales', 'in their folders') if $pending eq 'resume';
	return;
}

# Something of everything that users define, on names that want to be quoted.
$server->ask('CREATE DATABASE crm');
$server->install('crm', $web);
in_database('crm', <<'END');
	CREATE ROLE author;
	CREATE SCHEMA crm;
	CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, tier text);
	CREATE TABLE crm.job (id integer PRIMARY KEY, status text, owner text, contact_id integer, "The Problem" text);
	CREATE TABLE crm.note (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
	CREATE FUNCTION crm.matters(text) RETURNS boolean IMMUTABLE LANGUAGE sql RETURN $1 <> 'nothing';
	GRANT USAGE ON SCHEMA crm TO author;
	GRANT SELECT, UPDATE, TRIGGER ON ALL TABLES IN SCHEMA crm TO author;
	GRANT USAGE ON FOREIGN SERVER hook TO author;
	INSERT INTO crm.contact VALUES (1, 'Ada', 'gold'), (2, 'Bob', 'muted');
	INSERT INTO crm.job VALUES (1, 'New', NULL, 1, 'noise'), (2, 'New', NULL, 2, 'noise');

	SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "owner"}');
	SELECT automation.attach('crm.note', 'note');
	SELECT automation.link('crm.job', 'customer', 'contact_id', 'crm.contact');
	SELECT automation.approve_function('crm.job', 'crm.matters(text)');
	SELECT automation.grant_access('author', 'author');
	SET ROLE author;
	SELECT automation.create_rule('Send "somebody"', 'crm.job', 'status_entered', '{"to": "Go"}', activate => true,
		condition => $$ customer.tier <> 'muted' AND crm.matters(new."The Problem") $$,
		steps => ARRAY[
			automation.assign_user('round_robin', pool => '["ann", "bob"]'),
			automation.only_if('new.id > 0', automation.send_webhook('hook', '/go',
				'{"job": "{{ id }}", "customer": "{{ customer.name }}", "what": "{{ new[\"The Problem\"] }}"}'))]);
	RESET ROLE;
	SELECT automation.alter_rule('Send "somebody"', description => 'first come', reason => 'was unclear');
	SELECT automation.create_rule('Pass notes on', 'crm.job', 'job.note_added', activate => true, steps => ARRAY[
		automation.send_sms('twilio', '+12025550199', '{{ status }}: {{ new.body }}')]);
	SELECT automation.create_rule('Draft', 'crm.job', 'deleted', steps => ARRAY[automation.notify('log', '{{ old.id }}')]);
	SELECT automation.install_playbook('field_filled_advance', '{"table": "job", "field": "The Problem", "status": "Told"}');

	SELECT automation.create_rule('Follow up', 'crm.job', 'status_entered', '{"to": "Later"}', activate => true, steps => ARRAY[
		automation.after('30 days', automation.notify('log', '{{ id }}'), cancel_if_changed => '{status}')]);

	SELECT automation.create_filter('gold', 'crm.job', $$customer.tier = 'gold'$$, 'Sales/Who'), automation.create_template('text', 'Job {{ id }}'),
		automation.create_action_template('tell', automation.with_template('text', automation.notify('${who}', NULL)), '{"who": "log"}');
	SELECT automation.create_rule('Shares', 'crm.job', 'deleted', steps => ARRAY[automation.notify('log', '{{ old.id }}')]);
	SELECT automation.alter_rule('Shares', trigger => 'status_entered', params => '{"to": "Shared"}', condition => $$filter('gold')$$, steps => ARRAY[automation.use('tell')]),
		automation.activate_rule('Shares');

	-- These two stay behind.
	SELECT automation.pause_channel('hook'), automation.pause_channel('twilio');
	UPDATE crm.job SET status = 'Go';
	INSERT INTO crm.note VALUES (1, 1, 'still noisy');
	INSERT INTO crm.job VALUES (3, 'Later', NULL, 1, 'x');
	SELECT automation._turn_volume('0');
	INSERT INTO crm.job VALUES (4, 'Later', NULL, 1, 'x');
	SELECT automation.stop_item('crm.job', '4');
END
is(in_database('crm', "SELECT string_agg(state, ' ') FROM automation.deliveries"), 'held held', 'two messages are pending');
is(in_database('crm', "SELECT count(DISTINCT tableoid) FROM automation.run"), 2, 'the log has two volumes');
my $source = dump_of('crm');
run_program('pg_dump', 'pg_dump', '-Fc', '-f', "$folder/crm.dump", $server->connstr('crm'));

# The whole dump.
prepare('restored');
run_program('pg_restore', 'pg_restore', '--exit-on-error', '-d', $server->connstr('restored'), "$folder/crm.dump");
is(dump_of('restored'), $source, 'a dump of what was restored says the same');
works('restored', 'restored', 'resume');
prepare('quickly');
run_program('pg_restore with two jobs', 'pg_restore', '--exit-on-error', '-j', 2, '-d', $server->connstr('quickly'), "$folder/crm.dump");
works('quickly', 'restored by two', 'discard');
prepare('told');
run_program('as a script', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $server->connstr('told'), '-f', "$folder/crm.sql");
works('told', 'restored by psql', 'resume');
prepare('inserted');
run_program('pg_dump --inserts', 'pg_dump', '--inserts', '-f', "$folder/inserts.sql", $server->connstr('crm'));
run_program('as statements', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $server->connstr('inserted'), '-f', "$folder/inserts.sql");
is(dump_of('inserted'), $source, 'a dump by rows brings the same');
$server->ask('DROP DATABASE inserted WITH (FORCE)');

# Schema and data one after the other: by then there are triggers, which do not know that rows are old.
prepare('parts');
run_program('the schema', 'pg_restore', '--exit-on-error', '--schema-only', '-d', $server->connstr('parts'), "$folder/crm.dump");
is(in_database('parts', 'SELECT count(*) FROM automation.rule'), 0, 'the schema has no rules');
run_program('then the data', 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers',
	'-d', $server->connstr('parts'), "$folder/crm.dump");
works('parts', 'restored in two parts', 'discard');

# A copy sends as somebody else, and what was pending is still there, once.
in_database('crm', "SELECT automation.resume_channel('hook'), automation.resume_channel('twilio')");
my @received = $web->wait_for(6);
is(scalar @received, 6, 'what was pending is sent by the database that it is of');
my %senders;
for my $message (grep { $_->{json} } @received)
{
	my %headers = map { lc $_->[0] => $_->[1] } @{ $message->{headers} };
	$senders{ $headers{'webhook-id'} =~ s/(_\d+)+$//r }++;
}
is(scalar keys %senders, 5, 'no two databases use one id');

# Where a role is missing that owns rules.
prepare('roleless');
in_database('roleless', 'ALTER ROLE author RENAME TO writer');
$server->command_checks_all([ 'pg_restore', '-d', $server->connstr('roleless'), "$folder/crm.dump" ], 1, [],
	[qr/role "author" does not exist/], 'without a role that owns rules they are left out');
is(in_database('roleless', "SELECT detail FROM automation.check() WHERE NOT ok AND \"check\" = 'lost rules'"),
	'compiled, but not there: #1, #2, #3, #4, #5, #6', 'check() tells');
in_database('roleless', 'ALTER ROLE writer RENAME TO author');

# Into a database that nobody has prepared.
$server->ask('CREATE DATABASE bare');
$server->command_checks_all([ 'pg_restore', '-d', $server->connstr('bare'), "$folder/crm.dump" ], 1, [],
	[qr/webhook URL must use https/], 'without the options of the wrapper a channel is refused');
is(in_database('bare', 'SELECT detail FROM automation.check() WHERE "check" = \'channels of rules\''),
	'"Pass notes on" cannot use "twilio"; "Send "somebody"" cannot use "hook"', 'the rules are there, and check() says what they lack');

$server->stop;
done_testing();
