/** Subpath `tidemark/prometheus`: metrics for Prometheus, in a registry of prom-client. */
export {
  prometheusMetrics,
  type PrometheusMetricsOptions,
  type PrometheusRegistry,
} from './prometheus/prometheus-metrics.js'
