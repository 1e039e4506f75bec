# Servers that hang, wherever they do, hold back nothing that goes elsewhere; and the worker can end
# while they do.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;
use Time::HiRes 'time';

my $web    = Sink->start('http');
my $mail   = Sink->start('smtp');
my $server = Server->begin('main', 'pg_automation.request_timeout' => '20s');
$server->install('postgres', $web);
$server->ask(<<"END");
	CREATE SERVER stuck FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'http://127.0.0.1:@{[ $web->port ]}/delay/15000');
	CREATE SERVER mail FOREIGN DATA WRAPPER pg_automation
		OPTIONS (channel 'email', base_url 'smtp://127.0.0.1:@{[ $mail->port ]}', sender 'office\@firm.example', starttls 'off');
	CREATE TABLE job (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, channel text, recipient text);
	SELECT automation.attach('job', 'job');
	SELECT automation.create_rule('mail', 'job', 'created', condition => 'new.channel = \$\$mail\$\$', activate => true,
		steps => ARRAY[automation.send_email('mail', '{{ recipient }}', 'Hi', 'Hi')]);
	SELECT automation.create_rule(name, 'job', 'created', condition => format('new.channel = %L', name), activate => true,
		steps => ARRAY[automation.send_webhook(name)]) FROM unnest('{hook,stuck}'::text[]) AS name;
END

sub enqueue
{
	my ($count, $channel, $recipient) = @_;
	$server->ask("INSERT INTO job (channel, recipient) SELECT '$channel', '$recipient' FROM generate_series(1, $count)");
	return;
}

# The longest that one of so many webhooks took, from the commit to the answer; in ms.
sub longest_of_webhooks
{
	my ($count) = @_;
	my $before = $server->ask('SELECT coalesce(max(id), 0) FROM automation.delivery');
	for (1 .. $count) { enqueue(1, 'hook', '') }
	my $these = "FROM automation.attempts AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE d.id > $before AND d.channel = 'hook'";
	$server->poll_query_until('postgres', "SELECT count(*) = $count $these AND a.outcome = 'delivered'") or die 'not delivered';
	return $server->ask("SELECT round(max(extract(epoch FROM a.finished_at - d.at) * 1000)) $these");
}

my $alone = longest_of_webhooks(30);
enqueue(200, 'stuck', '');
enqueue(5, 'mail', 'delay8000@x.example'); # each answers the message late
enqueue(5, 'mail', 'ann@x.example');
my $mails = "FROM automation.deliveries WHERE channel = 'mail' AND state = 'delivered'";
$server->poll_query_until('postgres', "SELECT count(*) = 5 $mails") or die 'no mail';
is($server->ask("SELECT count(*) FROM automation.deliveries WHERE channel = 'mail' AND state = 'delivering'"), 5,
	'mails that are answered go past those that are not');
my $beside = longest_of_webhooks(30);
cmp_ok($beside, '<', 1000, "webhooks take $beside ms at most while others hang, $alone ms alone");
cmp_ok($server->ask("SELECT count(*) FROM automation.deliveries WHERE channel = 'stuck' AND state = 'delivering'"), '>', 20, 'which they do');

# The end does not wait for them.
my $worker = $server->worker('postgres');
my $begin  = time;
$server->ask("SELECT pg_terminate_backend($worker, 15000)");
cmp_ok(time - $begin, '<', 12, 'the worker ends while they hang');
isnt($server->worker('postgres'), $worker, 'and another one comes');
$server->stop;
ok(!$server->log_contains(qr/terminated by signal/), 'without a crash');

done_testing();
