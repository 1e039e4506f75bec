# A person is erased while messages to her have been sent, have failed and wait: none of ours is sent any more, and
# neither our tables nor a dump know her.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;

my $web    = Sink->start('http');
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE SCHEMA crm;
	CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text);
	CREATE TABLE crm.job (id integer PRIMARY KEY, status text, contact_id integer REFERENCES crm.contact);
	INSERT INTO crm.contact VALUES (1, 'Markerova', '+12025550199');
	SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
	SELECT automation.create_rule('Tell', 'crm.job', 'status_entered', '{"to": "Go"}', activate => true, steps => ARRAY[
		automation.send_webhook('hook', '/job', '{"name": "{{ contact.name }}"}'),
		automation.after('30 days', automation.send_sms('twilio', '{{ contact.phone }}', 'Hi {{ contact.name }}'))]);
	INSERT INTO crm.job VALUES (1, 'New', 1), (2, 'New', 1);
	UPDATE crm.job SET status = 'Go' WHERE id = 1;
END
$web->wait_for(1);
$server->poll_query_until('postgres', "SELECT count(*) = 1 FROM automation.deliveries WHERE state = 'delivered'");
$server->ask(q{SELECT automation.pause_channel('hook')});
$server->ask(q{UPDATE crm.job SET status = 'Go' WHERE id = 2});
is($server->ask('SELECT count(*) FROM automation.due'), 2, 'she is to hear more');

$server->ask(q{SELECT automation.erase_subject('crm.contact', '1')});
is($server->ask('SELECT count(*) FROM automation.due'), 0, 'nothing is planned for her');
$server->ask(q{SELECT automation.resume_channel('hook')});
ok($server->poll_query_until('postgres', "SELECT count(*) = 1 FROM automation.attempts WHERE outcome = 'cancelled' AND reason = 'erased'"),
	'the worker ends what it has not sent');
is(scalar $web->wait_for(1), 1, 'and sends no more');
is($server->ask(q{SELECT string_agg(state, ' ' ORDER BY id) FROM automation.deliveries}), 'delivered cancelled', 'what happened is still known');

my $file = "$ENV{TESTDIR}/dump.sql";
system_or_bail('pg_dump', '-f', $file, $server->connstr('postgres'));
my $dump = slurp_file($file) =~ s/^COPY crm\..*?^\\\.\n//gmsr;
unlike($dump, qr/Markerova|2025550199/, 'a dump does not know her, but for the table that she is in');
is($server->ask(<<'END'), '', 'nor does a table of ours');
	SELECT string_agg(c.relname, ' ') FROM pg_class AS c
	WHERE c.relnamespace = 'automation'::regnamespace AND c.relkind = 'r'
		AND query_to_xml(format('SELECT t FROM automation.%I AS t', c.relname), true, false, '')::text ~ 'Markerova|2025550199'
END

$server->stop;
done_testing();
