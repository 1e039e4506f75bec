-- Run once by the image's entry point, in a new data folder, in the database crm.
CREATE EXTENSION pg_cron;
CREATE EXTENSION pg_automation;

-- The servers of compose.yaml speak no TLS and live on a private network.
ALTER FOREIGN DATA WRAPPER pg_automation
	OPTIONS (ADD allow_http 'true', ADD allowed_networks '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16');
