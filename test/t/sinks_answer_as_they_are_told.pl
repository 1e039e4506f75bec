# The servers of test/servers, on which other tests rely: what they are told to answer, they answer.
use strict;
use warnings;
use utf8;
use HTTP::Tiny;
use Net::SMTP;
use Sink;
use Test::More;
use Time::HiRes 'time';

my $web    = Sink->start('http');
my $base   = 'http://127.0.0.1:' . $web->port;
my $client = HTTP::Tiny->new(max_redirect => 0);

is($client->get("$base/status/503")->{status}, 503, 'a status');
my $limited = $client->get("$base/status/429/retry-after/7");
is($limited->{headers}{'retry-after'}, 7, 'a Retry-After');
is_deeply([ map { $client->get("$base/fail-then-ok/2")->{status} } 1 .. 3 ], [ 503, 503, 200 ], 'fails, then works');
is($client->get("$base/cut/unanswered")->{status}, 599, 'no answer');
is(length $client->get("$base/fill/100000")->{content}, 100000, 'a long answer');
my $before = time;
$client->get("$base/delay/300");
cmp_ok(time - $before, '>=', 0.3, 'a late answer');

my $sms = $client->post_form("$base/2010-04-01/Accounts/AC1/Messages.json", { To => '+1555', Body => 'Hi' });
is($sms->{status}, 201, 'a message is created');
like($sms->{content}, qr/"sid": "SM[0-9a-f]{32}"/, 'and has a sid');
my @requests = $web->wait_for(9);
is($requests[-1]{form}{Body}, 'Hi', 'a form is kept');
is($requests[0]{status}, 503, 'in the order of arrival');

my $mail = Sink->start('smtp', '--auth', 'office:secret');

# Logs in unless told otherwise, and gives the server's code to the last command.
sub send_mail
{
	my ($recipient, $password) = @_;
	my $smtp = Net::SMTP->new('127.0.0.1', Port => $mail->port) or die $@;
	return $smtp->code unless $smtp->command('AUTH', 'PLAIN', $password)->response == 2;
	$smtp->mail('crm@example.com') && $smtp->to($recipient) && $smtp->data("Subject: Hi\n\nGrüße\n" =~ s/ü/ue/r);
	my $code = $smtp->code;
	$smtp->quit;
	return $code;
}

my ($right, $wrong) = ('AG9mZmljZQBzZWNyZXQ=', 'AG9mZmljZQB3cm9uZw==');
is(send_mail('ann@example.com',         $right), 250, 'mail is taken');
is(send_mail('ann@example.com',         $wrong), 535, 'not with a wrong password');
is(send_mail('reject550@example.com',   $right), 550, 'refused for good');
is(send_mail('tempfail451@example.com', $right), 451, 'refused for now');
is(send_mail('data554@example.com',     $right), 554, 'refused after the message');
is_deeply([ map { send_mail('fail1@example.com', $right) } 1 .. 2 ], [ 451, 250 ], 'fails, then works');
my @letters = $mail->wait_for(2);
is(scalar @letters, 2, 'only what was taken is kept');
is($letters[0]{auth}, 'office', 'with its sender');
is($letters[0]{subject}, 'Hi', 'and its subject');

done_testing();
