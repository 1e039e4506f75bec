# Whoever wakes the worker may be slow to finish his commit: the worker then finds what he has changed, and need not look again.
use strict;
use warnings;
use Cwd;
use PostgreSQL::Test::Utils qw(append_to_file system_or_bail);
use Server;
use Sink;
use Test::More;

system_or_bail('flock', 'test/faults/Makefile', 'make', '-s', '-C', 'test/faults');
my $web    = Sink->start('http');
my $server = Server->begin('main',
	shared_preload_libraries      => 'pg_automation,' . Cwd::abs_path('test/faults/faults.so'),
	'pg_automation.poll_interval' => '60s');
my $faults = $server->data_dir . '/faults';
mkdir $faults or die "$faults: $!";
$server->install('postgres', $web);
$server->tell_of_jobs('postgres');
$server->ask(q{SELECT automation.drop_rule('remind'); INSERT INTO job (id) VALUES (1)});
$web->wait_for(1);

sub held_until
{
	my ($id, $holds, $frees, $name) = @_;
	$server->ask($holds);
	$server->ask("INSERT INTO job (id) VALUES ($id)");
	append_to_file("$faults/the worker is called", 'sleep 500 backend');
	$server->ask($frees);
	ok(eval { $web->wait_for($id, 20); 1 }, $name);
	return;
}
held_until(2, q{SELECT automation.pause_channel('hook')}, q{SELECT automation.resume_channel('hook')}, 'a channel goes on at once');
held_until(3, q{UPDATE automation.home SET name = 'another'}, q{SELECT automation.adopt('resume')}, 'and so does a copy that is adopted');
is(scalar $web->received, 3, 'each is sent once');

# Whoever retries may have begun long before the worker last looked.
$server->ask(q{BEGIN;
	UPDATE automation.attempt SET outcome = 'dead';
	SELECT automation.retry(d.id) FROM automation.delivery AS d ORDER BY d.id LIMIT 1;
	UPDATE automation.retry SET due_at = due_at - interval '1 hour';
	COMMIT});
ok(eval { $web->wait_for(4, 20); 1 }, 'what has been due for long when it is entered leaves at once');

$server->stop;
done_testing();
