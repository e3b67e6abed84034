"""Pantau: closes a month of the programme, from delivered bytes to a published report.

Every step is a plain function; nothing here knows Airflow (`dags/` declares the order of the steps).
"""
