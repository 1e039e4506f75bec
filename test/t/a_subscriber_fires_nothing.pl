# What logical replication brings to a subscriber, at first and later, is no event there: the publisher's rules have
# fired for it. The subscriber's own writes are.
use strict;
use warnings;
use Server;
use Sink;
use Test::More;

my $web       = Sink->start('http');
my $publisher = Server->begin('publisher', wal_level => 'logical', max_wal_senders => 5);
my $subscriber = Server->begin('subscriber');
for my $server ($publisher, $subscriber)
{
	$server->install('postgres', $web);
	$server->tell_of_jobs('postgres');
}
$publisher->ask('INSERT INTO job VALUES (1), (2)');
$publisher->ask('CREATE PUBLICATION jobs FOR TABLE job');
$subscriber->ask("CREATE SUBSCRIPTION jobs CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION jobs");
$subscriber->wait_for_subscription_sync($publisher, 'jobs');
$publisher->ask('INSERT INTO job VALUES (3); UPDATE job SET done = true WHERE id = 1; DELETE FROM job WHERE id = 2');
$publisher->wait_for_catchup('jobs');
is($subscriber->ask("SELECT string_agg(id || CASE WHEN done THEN ' done' ELSE '' END, ', ' ORDER BY id) FROM job"), '1 done, 3', 'all rows are there');
is($subscriber->ask('SELECT (SELECT count(*) FROM automation.run), (SELECT count(*) FROM automation.delivery), (SELECT count(*) FROM automation.pending)'),
	'0|0|0', 'and rules have not fired');
$subscriber->ask('INSERT INTO job VALUES (4)');
$subscriber->tells('4 tell delivered, 4 remind delivered', 'for what is written here they do');
is($subscriber->finding('home'), '', 'and nothing waits: it is no copy of a database');
$publisher->poll_query_until('postgres', "SELECT count(*) >= 4 FROM automation.deliveries WHERE state = 'delivered'");
is(scalar(grep { ($_->{json}{job} // 0) == 3 } $web->received), 1, 'the publisher has told of its rows, once');

$_->stop for $subscriber, $publisher;
done_testing();
