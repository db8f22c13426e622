"""What the figures share: processes and their CPU, nginx, wrk, gateways, rounds, the report. Knows no figure."""
