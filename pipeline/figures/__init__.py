"""Plotly figures as functions of tables, their theme, and the offline report; no Streamlit."""
