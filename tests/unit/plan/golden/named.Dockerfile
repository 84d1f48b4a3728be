FROM isol8:python
RUN pip install --no-cache-dir numpy pandas
