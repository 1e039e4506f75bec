# A receiver that knows the secret, and nothing else of us, can tell that a webhook is ours: by Standard
# Webhooks, through each change of secret.
use strict;
use warnings;
use utf8;
use IPC::Run ();
use JSON::PP ();
use Server;
use Sink;
use Test::More;

my ($old, $new) = map { "whsec_$_" } 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
my $web    = Sink->start('http', '--signing-secret', $old, '--signing-secret', $new);
my $server = Server->begin('main');
$server->install('postgres', $web);
$server->ask(<<'END');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule('tell', 'job', 'created', activate => true, steps => ARRAY[
		automation.send_webhook('hook', '/fail-then-ok/1/job/{{ id }}', '{"title": "{{ title }}"}')]);
	ALTER SERVER hook OPTIONS (ADD retry_delay '10ms');
END

# What the first and the second attempt of a webhook about this job have shown to the receiver.
my $received = 0;
sub seen
{
	my ($title) = @_;
	$server->ask("INSERT INTO job (title) VALUES ('$title')");
	$received += 2;
	return map { join ' ', @{ $_->{verified} } } ($web->wait_for($received))[ -2, -1 ];
}

# The same by the reference library of Standard Webhooks, with the old and with the new secret: of the last webhook, or of
# what somebody has made of it.
sub judged
{
	my (%change) = @_;
	my $request = ($web->received)[-1];
	my %given   = (
		headers => { map { lc $_->[0] => $_->[1] } @{ $request->{headers} } },
		body    => $request->{body},
		secrets => [ $old, $new ]);
	$change{late} and $given{now} = $given{headers}{'webhook-timestamp'} + $change{late};
	$change{body} and $given{body} = $change{body};
	$change{id}   and $given{headers}{'webhook-id'} = $change{id};
	my $line = JSON::PP->new->utf8->encode(\%given) . "\n";
	my ($out, $error);
	IPC::Run::run([ 'test/npm', 'verify_webhooks.js' ], '<', \$line, '>', \$out, '2>', \$error) or die "npm: $error\n";
	chomp $out;
	return $out;
}
my $refused = 'No matching signature found';

sub sign_with
{
	$server->secret('hook_secret', join "\n", @_);
	$server->ask("SELECT automation.alter_channel('hook', credentials => '{\"signing_secret\": \"file:hook_secret\"}')");
	return;
}

is_deeply([ seen('without') ], [ '', '' ], 'without a secret there is no signature');
sign_with($old);
is_deeply([ seen('Grüße "quoted"') ], [ 1, 1 ], 'with one the receiver verifies it, on every attempt');
is(judged(), "ok, $refused", 'as the reference library does');
sign_with($new, $old);
is_deeply([ seen('both') ], [ '1 2', '1 2' ], 'with two he verifies either');
is(judged(), 'ok, ok', 'as the reference library does');
is(judged(late => 300), 'ok, ok', 'within five minutes');
is(judged(late => 301), join(', ', ('Message timestamp too old') x 2), 'but no later: it is not to be replayed');
is(judged(late => -301), join(', ', ('Message timestamp too new') x 2), 'nor before its time');
is(judged(body => '{"title":"other"}'), "$refused, $refused", 'nor with another body');
is(judged(id => 'msg_other'), "$refused, $refused", 'nor as another message');
sign_with($new);
is_deeply([ seen('after') ], [ 2, 2 ], 'and in the end the new one alone');
is(judged(), "$refused, ok", 'as the reference library does');

sign_with('whsec_short');
$server->ask("INSERT INTO job (title) VALUES ('bad')");
$server->poll_query_until('postgres', "SELECT count(*) > 0 FROM automation.attempts WHERE reason = 'invalid signing secret'")
  or die 'no reason';
pass('a secret that is none is told, and nothing leaves unsigned');
is(scalar $web->received, $received, 'as the receiver sees');

$server->stop;
done_testing();
