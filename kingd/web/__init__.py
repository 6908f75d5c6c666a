"""For who looks at kingd from outside: Prometheus, a load balancer, a browser. Never imported by the daemon."""
