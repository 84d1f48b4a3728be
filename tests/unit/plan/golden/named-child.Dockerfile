FROM isol8:ml
RUN pip install --no-cache-dir 'requests[socks]>=2,<3' scipy
