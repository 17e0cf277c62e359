"""The models on Apache Spark: the same dbt project, where one machine is no longer enough (docs/spark.md)."""
