# A mail server that knows no such mailbox (5.1.1) is asked for it once: from then on the address is suppressed, by its hash.
# One that refuses for another reason is asked again.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $mail   = Sink->start('smtp');
my $server = Server->begin('main');
my $port   = $mail->port;
$server->ask(<<"END");
	CREATE EXTENSION pg_automation;
	ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.0/8');
	CREATE SERVER office FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:$port', sender 'office\@firm.example', starttls 'off', breaker_failures '0');
	CREATE TABLE letter (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, recipient text);
	SELECT automation.attach('letter');
	SELECT automation.create_rule('write', 'letter', 'created', activate => true, steps => ARRAY[automation.send_email('office', '{{ recipient }}', 's', 'b')]);
END

sub becomes_of
{
	my ($recipient) = @_;
	my $id = $server->ask("INSERT INTO letter (recipient) VALUES ('$recipient') RETURNING id");
	my $of = "FROM automation.deliveries AS d JOIN automation.run AS r ON r.id = d.run_id WHERE r.key = '$id'";
	# One that is not written to at all ends with the step that would have sent it.
	$server->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT $of AND d.state IN ('ready', 'delivering', 'retrying'))") or die 'not at rest';
	return $server->ask("SELECT coalesce((SELECT d.state || ' ' || d.reason $of), (SELECT s.status || ' ' || s.reason FROM automation.step_log AS s WHERE s.rule = 'write' AND s.key = '$id'))");
}

is(becomes_of('gone+lena@x.example'), 'dead SMTP 550 5.1.1: there is no such mailbox', 'a mailbox that is not there');
like(becomes_of('Gone+Lena@x.example'), qr/^suppressed consent: transactional messages refused on \S+ \(SMTP 550 5\.1\.1: there is no such mailbox\)$/, 'is not written to again');
is($server->ask(q{SELECT class || ' ' || state || ' ' || source FROM automation.consents('email', 'gone+lena@x.example')}),
	'all denied SMTP 550 5.1.1: there is no such mailbox', 'the ledger says so');
is($server->ask(q{SELECT count(*) FROM automation.consent AS c WHERE c::text LIKE '%lena%'}), '0', 'without the address');
$server->ask(q{SELECT automation.set_consent('email', 'gone+lena@x.example', 'all', 'granted', 'she has a mailbox now')});
like(becomes_of('gone+lena@x.example'), qr/^dead SMTP 550 5\.1\.1/, 'whoever knows better lifts it');
like(becomes_of('reject550+max@x.example'), qr/^dead SMTP 550/, 'a refusal for no such reason') for 1 .. 2;
is($server->ask(q{SELECT count(*) FROM automation.consents('email', 'reject550+max@x.example')}), '0', 'suppresses nothing');

$server->stop;
done_testing();
