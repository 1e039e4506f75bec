# Credentials with a mark go through all that can happen to them: created in each way, sent, refused,
# echoed by the receiver, wrong, rotated. The mark is then in no log, no table, no statistics, no dump.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Server;
use Sink;
use Test::More;
use MIME::Base64 'encode_base64';

my $mark   = 'MARKof4secret';
my $whsec  = 'whsec_' . encode_base64("${mark}0123456789abcdef", '');
my $web    = Sink->start('http');
my $mail   = Sink->start('smtp', '--auth', "office:$mark-mail");
my $server = Server->begin('main', log_statement => 'none', log_min_messages => 'debug1', log_min_duration_statement => '-1',
	shared_preload_libraries => 'pg_stat_statements,pg_automation', 'pg_stat_statements.track' => 'all', 'pg_stat_statements.track_utility' => 'on');
$server->install('postgres', $web);
my $port = $web->port;
$server->secret('bearer', "$mark-bearer");
$server->secret('signing', $whsec);
$server->secret('login',  "$mark-wrong");
$server->secret('mail',   "$mark-mail");
$server->ask(<<"END");
	CREATE EXTENSION pg_stat_statements;
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
	SELECT automation.attach('job', 'job');
	-- The receiver's answers hold what it was sent.
	SELECT automation.create_channel('echo', 'webhook', '{"base_url": "http://127.0.0.1:$port/echo/1", "retry_schedule": "50ms"}',
		'{"token": "file:bearer", "signing_secret": "file:signing"}');
	SELECT automation.create_channel('refused', 'webhook', '{"base_url": "http://127.0.0.1:$port/echo/1/status/401"}',
		'{"username": "me", "password": "file:bearer"}');
	SELECT automation.create_channel('cut', 'webhook', '{"base_url": "http://127.0.0.1:$port/cut/midway", "max_attempts": "1"}', '{"token": "file:bearer"}');
	SELECT automation.create_channel('mail', 'email',
		'{"base_url": "smtp://127.0.0.1:@{[ $mail->port ]}", "sender": "office\@firm.example", "starttls": "off"}',
		'{"username": "office", "password": "file:mail"}');
	SELECT automation.create_channel('wrong', 'email',
		'{"base_url": "smtp://127.0.0.1:@{[ $mail->port ]}", "sender": "office\@firm.example", "starttls": "off", "max_attempts": "1"}',
		'{"username": "office", "password": "file:login"}');
	SELECT automation.create_channel('bad', 'webhook', '{"base_url": "http://127.0.0.1:$port", "max_attempts": "1"}', '{"signing_secret": "file:bearer"}');
	SELECT automation.create_rule(name, 'job', 'created', activate => true, steps => ARRAY[
		CASE WHEN name IN ('mail', 'wrong') THEN automation.send_email(name, 'ann\@x.example', 's', 'b') ELSE automation.send_webhook(name) END])
	FROM unnest('{echo,refused,cut,mail,wrong,bad}'::text[]) AS name;
END

# A literal is warned of, and stands in the user mapping alone: not in the statements that made it, when those have no text of it.
my ($status, $out, $err) = $server->psql('postgres', q{SELECT automation.create_channel('literal', 'webhook', '{"base_url": "http://127.0.0.1:1"}', jsonb_build_object('token', pg_read_file('secrets_of_the_test')))});
isnt($status, 0, 'a file that is not there') and unlike($err, qr/$mark/, 'shows nothing');
append_to_file($server->data_dir . '/secret_of_the_test', "$mark-literal");
($status, $out, $err) = $server->psql('postgres',
	q{SELECT automation.create_channel('literal', 'webhook', '{"base_url": "http://127.0.0.1:1"}', jsonb_build_object('token', pg_read_file('secret_of_the_test')))});
like($err, qr/WARNING: +option "token" holds a secret in the clear/, 'a literal is warned of');
unlike($err, qr/$mark/, 'without showing it');

for my $round (1 .. 2)
{
	$server->ask("INSERT INTO job (name) VALUES ('x')");
	$server->poll_query_until('postgres',
		q{SELECT count(*) = 0 FROM automation.deliveries WHERE state IN ('ready', 'delivering') OR (state = 'retrying' AND channel <> 'bad')})
	  or die 'not at rest';
	$server->secret('bearer', "$mark-rotated"); # for the next round
	$server->ask('SELECT pg_sleep(1.1)');
}
my @seen = grep { ($_->{headers_text} // join ' ', map { @$_ } @{ $_->{headers} }) =~ /$mark/ } $web->received;
cmp_ok(scalar @seen, '>', 3, 'the receiver has seen the mark');
is(scalar grep({ $_->{auth} // '' eq 'office' } $mail->received), 2, 'and so has the mail server');
like($server->ask(q{SELECT string_agg(DISTINCT response, ' ') FROM automation.attempt WHERE response LIKE '%Bearer%'}), qr/Bearer \*\*\*/, 'what it echoes is kept without it');
is($server->ask("SELECT string_agg(outcome || coalesce(' ' || reason, ''), ', ' ORDER BY outcome, reason) FROM (SELECT DISTINCT outcome, reason FROM automation.attempts WHERE channel IN ('wrong', 'bad')) AS a"),
	'dead gave up after 1 attempt: invalid signing secret, dead gave up after 1 attempt: login refused: SMTP 535: Login denied', 'what fails says why');

# Where it could be.
my @forms = ($mark, encode_base64("me:$mark-bearer", ''), encode_base64("\0office\0$mark-mail", ''), encode_base64("$mark-mail", ''), $whsec, substr($whsec, 6));
sub clean
{
	my ($text, $where) = @_;
	cmp_ok(length $text, '>', 0, "$where is not empty");
	ok(!grep({ index($text, $_) >= 0 } @forms), "$where does not show it");
	return;
}
clean(slurp_file($server->logfile), 'the log');
clean($server->ask('SELECT string_agg(query, E\'\n\') FROM pg_stat_statements'), 'pg_stat_statements');
clean($server->ask('SELECT string_agg(a::text, E\'\n\') FROM pg_stat_activity AS a'), 'pg_stat_activity');
for my $table (split /\n/, $server->ask("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'automation'::regnamespace AND relkind IN ('r', 'p', 'v')"))
{
	my $text = $server->ask("SELECT string_agg(t::text, E'\\n') FROM $table AS t");
	ok(!grep({ index($text, $_) >= 0 } @forms), "$table does not show it");
}
$server->ask('DROP USER MAPPING FOR PUBLIC SERVER literal'); # as the warning said, a dump would show that one
my $dump = $server->basedir . '/dump.sql';
$server->command_ok([ 'pg_dump', '-f', $dump, $server->connstr('postgres') ], 'a dump');
clean(slurp_file($dump), 'the dump');

$server->stop;
clean(slurp_file($server->logfile), 'the log of the whole');
done_testing();
